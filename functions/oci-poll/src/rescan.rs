//! Reads one chart again on request, for instance after its row was deleted by hand. Uses neither
//! the lease nor the cursor, so that it is safe beside a pass.

use anyhow::{Context as _, bail};
use serde_json::Value;
use shared::db::Writer;
use shared::domain::Subject;
use shared::reconcile::{Deletions, Hint, KnownPopulation, ReconcileOptions, reconcile};
use tokio::time::{Instant, timeout_at};

use crate::closed::check_open;
use crate::context::PollContext;
use crate::instance::Instance;
use crate::summary::PollSummary;
use crate::viewers::Viewers;

/// Looks at a tag, and returns a summary without a pass.
///
/// # Errors
/// Fails if only another instance sees the repository, if the registry does not answer or wants to
/// be left alone, if the database cannot be used, or if there is no time.
pub(crate) async fn handle_rescan(
    context: &PollContext,
    instance: &Instance,
    subject: Subject,
    deadline: Instant,
) -> anyhow::Result<Value> {
    check_open(context, instance, deadline).await?;
    let (database, repository) = (&context.database, &subject.repository);
    let viewers = Viewers::read(database, instance).await?;
    if let Some(other) = viewers.only_viewer(database, instance, repository).await? {
        bail!(
            "the instance {other} sees {repository}, and the last pass of {} did not: rescan it \
             with {other}",
            instance.name
        );
    }
    let client = context.clients.client(instance, &context.settings).await?;
    let client = client.until(deadline).staying_closed();
    let population = KnownPopulation::default();
    let options = ReconcileOptions {
        selection: Some(&instance.selection),
        population: &population,
        // The next pass compares the repository again, because it may have listed it meanwhile.
        writer: Writer {
            instance: Some(&instance.name),
            notes_changes: true,
            kind_naming: instance.kind_naming,
        },
        concurrency: instance.concurrency,
        deadline,
        deletions: Deletions::Believed { hold: instance.deletion_hold },
        formats: context.formats.as_ref(),
    };
    let hints = vec![Hint { is_requested: true, ..Hint::at(subject) }];
    let looked = Box::pin(reconcile(database, |_| Ok(client.clone()), hints, options));
    let report = timeout_at(deadline, looked).await.context("the invocation's time was over")??;
    if let Some(Err(error)) = report.outcomes.into_iter().next() {
        return Err(error.into());
    }
    let mut summary = PollSummary::of(&instance.name);
    summary.tags = 1;
    summary.manifests = report.lookups;
    summary.added = report.added;
    summary.unavailable = report.unavailable;
    summary.held = report.held;
    summary.broken = report.broken;
    summary.skipped = report.not_charts;
    summary.complete = true;
    summary.measure();
    Ok(serde_json::to_value(summary)?)
}
