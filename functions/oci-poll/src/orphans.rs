//! Ends the rows of a registry that no instance watches any more, on request.

use anyhow::bail;
use serde_json::{Value, json};
use shared::db::KnownInstance;
use shared::domain::Registry;
use time::OffsetDateTime;
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
    let known = context.database.known_instances().await?;
    if let Some(live) = known.live_at(registry) {
        bail!(refusal(registry, live));
    }
    let gone: Vec<&KnownInstance> = known.gone_from(registry).collect();
    let (mut unavailable, mut complete) = (0, false);
    while !complete {
        let ended = timeout_at(deadline, context.database.end_orphans(registry, &gone)).await;
        let Ok(ended) = ended else { break };
        let ended = ended?;
        unavailable += ended.charts;
        complete = ended.is_done;
    }
    let instances: Vec<&str> = gone.iter().map(|gone| gone.name.as_str()).collect();
    info!(registry = registry.host(), unavailable, complete, ?instances, "orphans ended");
    Ok(json!({
        "orphans": registry.host(),
        "instances": instances,
        "unavailable": unavailable,
        "complete": complete,
    }))
}

fn refusal(registry: &Registry, live: &KnownInstance) -> String {
    let started = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let (host, name) = (registry.host(), &live.name);
    let last = live.seen_at.map_or("its first run has not ended".to_owned(), |at| {
        format!("its last start was at {}", started(at))
    });
    format!(
        "the instance {name} watches {host}, and {last}: an instance is gone a day after its last \
         start, or after three of its intervals if those are longer"
    )
}
