//! Ends the rows of a registry that no instance watches any more, on request.

use anyhow::bail;
use serde_json::{Value, json};
use shared::db::KnownInstance;
use shared::domain::Registry;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use crate::context::PollContext;

/// Makes the charts of a registry unavailable, and forgets the instances that watched it. Returns
/// the number of charts. If the time is over before, the next call continues.
///
/// # Errors
/// Fails if a live instance watches the registry, or if the database cannot be used.
pub(crate) async fn handle_orphans(
    context: &PollContext,
    registry: &Registry,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let database = &context.database;
    let (mut unavailable, mut complete) = (0, false);
    let mut instances = Vec::new();
    while !complete {
        // An instance may come back between two steps.
        let step = async {
            let known = database.known_instances().await?;
            if let Some(live) = known.live_at(registry) {
                bail!(refusal(registry, live, unavailable));
            }
            let gone: Vec<&KnownInstance> = known.gone_from(registry).collect();
            let ended = database.end_orphans(registry, &gone).await?;
            Ok((ended, gone.into_iter().map(|gone| gone.name.clone()).collect::<Vec<_>>()))
        };
        let Ok(step) = timeout_at(deadline, step).await else { break };
        let (ended, gone) = step?;
        (unavailable, complete, instances) = (unavailable + ended.charts, ended.is_done, gone);
    }
    info!(registry = registry.host(), unavailable, complete, ?instances, "orphans ended");
    Ok(json!({
        "orphans": registry.host(),
        "instances": instances,
        "unavailable": unavailable,
        "complete": complete,
    }))
}

fn refusal(registry: &Registry, live: &KnownInstance, ended: u64) -> String {
    let (host, name) = (registry.host(), &live.name);
    let last = live.seen_at.format(&Rfc3339).unwrap_or_default();
    let ended = match ended {
        0 => String::new(),
        ended => format!(". It came back meanwhile, and reads the {ended} charts again that ended"),
    };
    format!(
        "the instance {name} watches {host}, and its last start was at {last}: an instance is gone \
         a day after its last start, or after three of its intervals if those are longer{ended}"
    )
}
