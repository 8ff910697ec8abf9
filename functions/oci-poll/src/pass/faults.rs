//! Stores failed looks, so that they are tried again ever more rarely. Forgets those that succeed.

use std::sync::Arc;

use shared::db::{FaultKind, NewFault};
use shared::domain::Subject;
use shared::reconcile::{self, Report};

use super::context::{Halt, Pass};

/// What became of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// It succeeded.
    Good,
    /// The artifact is past a limit.
    Skipped,
    /// It failed, and the fault is stored.
    Failed,
    /// There was no time for it, or the registry accepts no request for now, or the repository
    /// hangs.
    No,
}

impl Answered {
    pub(super) fn of(outcome: &Result<(), Arc<reconcile::Error>>) -> Self {
        match outcome {
            Ok(()) => Self::Good,
            Err(error) if error.is_beyond_limits() => Self::Skipped,
            Err(error) if error.is_asked_to_wait() || error.is_stalled() => Self::No,
            Err(error) if matches!(**error, reconcile::Error::Unfinished { .. }) => Self::No,
            Err(_) => Self::Failed,
        }
    }
}

/// Stores the faults of a lookup. `subjects` are those that were looked at, in the report's order.
pub(super) async fn record_outcomes(
    pass: &Pass<'_>,
    subjects: &[Subject],
    report: &Report,
) -> Result<(), Halt> {
    let (mut faults, mut good) = (Vec::new(), Vec::new());
    for (subject, outcome) in subjects.iter().zip(&report.outcomes) {
        let kind = match Answered::of(outcome) {
            Answered::Good => {
                good.push(subject);
                continue;
            }
            Answered::No => continue,
            Answered::Skipped => FaultKind::Skipped,
            Answered::Failed => FaultKind::Failed,
        };
        let error = outcome.as_ref().err().map(|error| anyhow::Error::new(Arc::clone(error)));
        let error = error.map(|error| format!("{error:#}")).unwrap_or_default();
        faults.push(NewFault { subject, kind, error });
    }
    record_faults(pass, &faults, good).await
}

/// Stores faults, and forgets those of references that are good.
pub(super) async fn record_faults<'a>(
    pass: &Pass<'_>,
    faults: &[NewFault<'a>],
    good: impl IntoIterator<Item = &'a Subject>,
) -> Result<(), Halt> {
    let (database, instance) = (pass.poll.database, pass.poll.instance);
    Ok(database.record_faults(&instance.name, faults, good, instance.verify_interval).await?)
}
