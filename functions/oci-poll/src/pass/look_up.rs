//! Looks at some subjects on behalf of the instance, and counts the result.

use std::sync::Arc;

use shared::domain::Subject;
use shared::reconcile::{self, Deletions, Hint, ReconcileOptions, Report, reconcile};
use tracing::warn;

use super::context::{Halt, Pass};
use super::faults::record_outcomes;

/// The most subjects looked at and written together. It bounds the memory, and the work that an
/// interrupted pass repeats.
pub(super) const BATCH: usize = 128;

/// The result of a lookup.
#[derive(Debug)]
pub(super) struct LookedUp {
    pub(super) report: Report,
    /// Whether the pass may continue once the caller has taken the report into account.
    pub(super) end: Result<(), Halt>,
}

/// Looks at subjects, writes the changes and counts them.
///
/// # Errors
/// Fails if the database fails.
pub(super) async fn look_up(pass: &mut Pass<'_>, hints: Vec<Hint>) -> Result<LookedUp, Halt> {
    let subjects: Vec<Subject> = hints.iter().map(|hint| hint.subject.clone()).collect();
    let (poll, instance) = (pass.poll, pass.poll.instance);
    let deadline = poll.deadline.min(pass.work_until + reconcile::WRITE_TIME);
    let options = ReconcileOptions {
        writer: poll.writer(),
        concurrency: instance.concurrency,
        deadline,
        deletions: Deletions::HeldBack { hold: instance.deletion_hold },
        selection: Some(pass.own_selection().await?),
        population: &poll.population,
        formats: poll.formats,
    };
    let report = reconcile(poll.database, |_| Ok(poll.client.clone()), hints, options).await?;
    pass.cursor.follow_generation(report.generations.iter().copied())?;
    pass.summary.add_report(&report);
    let mut end = if report.unfinished > 0 { Err(Halt::OutOfTime) } else { Ok(()) };
    record_outcomes(pass, &subjects, &report).await?;
    for (Subject { repository, .. }, outcome) in subjects.iter().zip(&report.outcomes) {
        let Err(error) = outcome else { continue };
        let shown = anyhow::Error::new(Arc::clone(error));
        if error.is_asked_to_wait() {
            end = Err(Halt::AskedToWait);
        } else if error.is_stalled() {
            pass.stall(repository, &shown);
        } else if error.is_beyond_limits() {
            pass.summary.skipped += 1;
            warn!("skipped: {shown:#}");
        } else if !matches!(**error, reconcile::Error::Unfinished { .. }) {
            pass.summary.add_repository_error(repository, &shown);
        }
    }
    Ok(LookedUp { report, end })
}
