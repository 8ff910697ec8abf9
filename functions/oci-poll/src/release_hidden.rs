//! Ends the charts of a hidden repository, on request. GHCR and Docker Hub answer 401 for a
//! repository that was deleted, so that only a person can tell.

use anyhow::{Context as _, bail};
use serde_json::Value;
use shared::domain::Repository;
use tokio::time::{Instant, timeout_at};

use crate::context::PollContext;
use crate::instance::Instance;
use crate::summary::PollSummary;

/// Makes the charts of a repository unavailable, if the registry does not show it. Returns a
/// summary. If the time is over before, the next call continues.
///
/// # Errors
/// Fails if the instance does not select the repository, if no pass has found it hidden, if the
/// registry shows it, refuses the credentials or gives no answer, or if the database cannot be
/// used.
pub(crate) async fn handle_release_hidden(
    context: &PollContext,
    instance: &Instance,
    repository: &Repository,
    deadline: Instant,
) -> anyhow::Result<Value> {
    if !instance.selection.has(repository) {
        bail!(
            "the instance {} does not select {repository} (oci.repositories, oci.exclude): release \
             it with an instance that does",
            instance.name
        );
    }
    let client = context.clients.client(instance, &context.settings).await?.until(deadline);
    let list = timeout_at(deadline, client.list_tags(repository)).await;
    match list.context("the invocation's time was over")? {
        Ok(_) => bail!("the registry shows {repository}, so that nothing of it is hidden"),
        Err(error) if error.is_credentials_refused() => return Err(error.into()),
        Err(error) if error.is_denied() || error.is_repository_unknown() => {}
        Err(error) => return Err(error.into()),
    }
    let (database, registry) = (&context.database, &instance.registry);
    let faults = database.repository_faults(&instance.name, registry).await?;
    if !faults.get(repository).is_some_and(|fault| fault.is_hidden) {
        bail!(
            "no pass of {} has found {repository} hidden: its charts may never have been those of \
             this instance. Invoke oci-poll with the instance first",
            instance.name
        );
    }
    let known = database.known_instances().await?;
    // An instance that still sees the repository restores its charts.
    let watching: Vec<&str> =
        known.watching(registry, repository).map(|known| known.name.as_str()).collect();
    let mut summary = PollSummary::of(&instance.name);
    while !summary.complete {
        let ended = database.end_repository(registry, repository, &watching);
        let Ok(ended) = timeout_at(deadline, ended).await else { break };
        let ended = ended?;
        summary.unavailable += ended.charts;
        summary.complete = ended.is_done;
    }
    if summary.complete {
        database.forget_faults_in(registry, repository).await?;
    }
    summary.measure();
    Ok(serde_json::to_value(summary)?)
}
