//! Looks at some references on behalf of the instance, and counts what came of it.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;

use shared::db::Writer;
use shared::domain::Repository;
use shared::reconcile::{self, Deletions, Hint, ReconcileOptions, Report, reconcile};
use tracing::warn;

use super::context::{Poll, Stopped};
use crate::cursor::Cursor;
use crate::summary::{Summary, note};

/// References looked up and written together. Bounds what is held in memory, and what an
/// interrupted pass does again.
pub(crate) const BATCH: usize = 128;

/// Looks, writes and counts.
///
/// # Errors
/// When the database cannot be used.
pub(crate) async fn look_up(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    hints: Vec<Hint>,
    summary: &mut Summary,
) -> anyhow::Result<(Report, ControlFlow<Stopped>)> {
    let repositories: Vec<Repository> =
        hints.iter().map(|hint| hint.subject.repository.clone()).collect();
    let instance = poll.instance;
    let options = ReconcileOptions {
        writer: Writer { instance: Some(&instance.name), kind_naming: instance.kind_naming },
        concurrency: instance.concurrency,
        deadline: poll.deadline,
        deletions: Deletions::HeldBack { hold: instance.deletion_hold },
        formats: poll.formats,
    };
    let report = reconcile(poll.database, |_| Ok(poll.client.clone()), hints, options).await?;
    cursor.follow_generation(report.generation)?;
    summary.manifests += report.lookups;
    summary.added += report.added;
    summary.unavailable += report.unavailable;
    summary.broken += report.broken;
    summary.skipped += report.not_charts;
    summary.held += report.held;
    let mut stopped = if report.unfinished > 0 { Break(Stopped::OutOfTime) } else { Continue(()) };
    for (repository, outcome) in repositories.iter().zip(&report.outcomes) {
        let Err(error) = outcome else { continue };
        let shown = anyhow::Error::new(Arc::clone(error));
        if error.is_asked_to_wait() {
            stopped = Break(Stopped::AskedToWait);
        } else if error.is_beyond_limits() {
            summary.skipped += 1;
            warn!("skipped: {shown:#}");
        } else if !matches!(**error, reconcile::Error::Unfinished { .. }) {
            note(summary, repository, &shown);
        }
    }
    Ok((report, stopped))
}
