//! One invocation: one pass over the instance in the payload.

use anyhow::Context as _;
use serde_json::Value;
use shared::db::Database;
use shared::oci::Connections;
use tokio::time::Instant;
use tracing::info;

use crate::instance::Instance;
use crate::pass::{self, End};
use crate::summary::Summary;

/// Takes an instance and returns its [`Summary`].
///
/// # Errors
/// A payload that is no instance; a registry whose catalog cannot be read; a database that cannot be used.
pub(crate) async fn handle(
    database: &Database,
    connections: &Connections,
    payload: Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let instance = Instance::read(payload)?;
    let client = connections.client(instance.url.clone());
    let mut summary = Summary { instance: instance.name.clone(), ..Summary::default() };
    let started = Instant::now();
    let pass = pass::run(database, &client, &instance, &mut summary, deadline);
    let end = match tokio::time::timeout_at(deadline, pass).await {
        Ok(end) => end.with_context(|| format!("cannot poll {} ({})", instance.name, instance.url))?,
        Err(_) => End::OutOfTime,
    };
    if end == End::OutOfTime {
        // What was written stays: the next invocation looks at the rest.
        summary.add_error("the invocation's time was over before the pass was".to_owned());
    }
    info!(
        instance = summary.instance,
        repositories = summary.repositories,
        tags = summary.tags,
        manifests = summary.manifests,
        added = summary.added,
        unavailable = summary.unavailable,
        errors = summary.errors.len(),
        complete = summary.complete,
        duration_ms = started.elapsed().as_millis(),
        "pass ended"
    );
    Ok(serde_json::to_value(summary)?)
}
