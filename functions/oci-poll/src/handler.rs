//! One invocation: one pass over the instance in the payload.

use anyhow::Context as _;
use serde_json::Value;
use shared::db::Database;
use shared::oci::Connections;
use tokio::time::Instant;
use tracing::info;

use crate::instance::Instance;
use crate::pass;
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
    let pass = pass::run(database, &client, &instance, &mut summary);
    match tokio::time::timeout_at(deadline, pass).await {
        Ok(outcome) => outcome.with_context(|| format!("cannot poll {} ({})", instance.name, instance.url))?,
        // What was written stays; tags already looked at are not fetched again by the next invocation.
        Err(_) => summary.add_error("the invocation's time was over before the pass was".to_owned()),
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
        "pass ended"
    );
    Ok(serde_json::to_value(summary)?)
}
