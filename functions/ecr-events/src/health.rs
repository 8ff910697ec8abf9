//! Writes the row of a region's instance in `discovery_instances`. The row says that the instance
//! exists and when an event last arrived.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;
use shared::db::Introduction;
use shared::domain::Region;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::arrival::RegionArrival;
use crate::context::Context;

/// Limits the time of the write, because the batch's answer waits for it.
const NOTE_TIME: Duration = Duration::from_millis(500);

/// The least time between two writes of one region.
const NOTE_PAUSE: Duration = Duration::from_secs(10);

/// Calls `write` with the name, provider and configuration of a region's instance.
pub(crate) async fn introduce<T>(
    context: &Context,
    region: &Region,
    write: impl AsyncFnOnce(&Introduction<'_>) -> T,
) -> T {
    let (name, source) = (context.instance_name(region), region.to_string());
    // No account means every account.
    let accounts: Vec<String> = context.settings.accounts.iter().map(ToString::to_string).collect();
    let configuration = json!({
        "name": name,
        "provider": "ecr",
        "ecrEvents": {"regionName": source, "accounts": accounts},
    });
    let introduction = Introduction {
        name: &name,
        provider: "ecr",
        source: &source,
        configuration: &configuration,
        function: &context.settings.function_name,
    };
    write(&introduction).await
}

/// Records in the instances' health that events arrive, and whether they are late. A failure is
/// only logged, because the events themselves were handled.
pub(crate) async fn note_events(
    context: &Context,
    arrivals: HashSet<RegionArrival>,
    deadline: Instant,
) {
    for arrived in arrivals {
        if !is_to_be_noted(context, &arrived) {
            continue;
        }
        let noted = introduce(context, &arrived.region, async |introduction| {
            context.database.note_event(introduction, arrived.arrival).await
        });
        match timeout_at(deadline.min(Instant::now() + NOTE_TIME), noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = shared::telemetry::Causes(&error);
                warn!(%error, "cannot write the event into the health");
            }
            Err(_) => warn!("there was no time to write the event into the health"),
        }
    }
}

/// Returns whether the last record is old enough. If every batch wrote one, many functions would
/// wait for the same row.
fn is_to_be_noted(context: &Context, arrived: &RegionArrival) -> bool {
    let mut noted = context.noted.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    match noted.get(arrived) {
        Some(at) if now.duration_since(*at) < NOTE_PAUSE => false,
        _ => {
            noted.insert(arrived.clone(), now);
            true
        }
    }
}
