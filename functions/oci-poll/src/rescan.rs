//! Reads one chart again: after a fix on our side, or to bring back a row that was deleted by hand.
//! Neither the lease nor the cursor has a part in it; it is safe beside a pass.

use anyhow::Context as _;
use serde_json::Value;
use shared::db::{Database, Writer};
use shared::domain::Subject;
use shared::oci::Client;
use shared::reconcile::{Deletions, Hint, KnownFormats, ReconcileOptions, reconcile};
use tokio::time::{Instant, timeout_at};

use crate::instance::Instance;
use crate::summary::Summary;

/// Looks at a tag at somebody's request. The summary has no pass in it.
///
/// # Errors
/// When the registry does not tell, the database cannot be used, or there is no time.
pub(crate) async fn rescan(
    database: &Database,
    client: Client,
    (instance, subject): (&Instance, Subject),
    formats: Option<&KnownFormats>,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let options = ReconcileOptions {
        // On nobody's behalf: what the poller does not know of its rows would make it compare every
        // list.
        writer: Writer { instance: None, kind_naming: instance.kind_naming },
        concurrency: instance.concurrency,
        deadline,
        deletions: Deletions::Believed,
        formats,
    };
    let hints = vec![Hint { is_requested: true, ..Hint::at(subject) }];
    let looked = Box::pin(reconcile(database, |_| Ok(client.clone()), hints, options));
    let report = timeout_at(deadline, looked).await.context("the invocation's time was over")??;
    if let Some(Err(error)) = report.outcomes.into_iter().next() {
        return Err(error.into());
    }
    let mut summary = Summary::of(&instance.name);
    summary.tags = 1;
    summary.manifests = report.lookups;
    summary.added = report.added;
    summary.unavailable = report.unavailable;
    summary.broken = report.broken;
    summary.skipped = report.not_charts;
    summary.complete = true;
    summary.measure();
    Ok(serde_json::to_value(summary)?)
}
