//! Runs rounds over a batch of hints, until no subject in it has to be looked at again.

use super::pending::Pending;
use super::report::{Error, Report};
use super::round::Round;
use super::{ClientFor, Hint, ReconcileOptions};
use crate::db::{self, Database};

/// Rounds after which a subject that keeps changing is given up. A second round is rare. A third
/// one needs a tag that is deleted and pushed in a tight loop.
const ROUNDS: usize = 5;

/// Looks at what the hints name, and writes what follows. It stops looking [`super::WRITE_TIME`]
/// before the deadline, and writes the observations that it has. Safe to repeat, and safe beside
/// other writers.
///
/// # Errors
/// When the database cannot be read or written. A part of the batch may have been written by then.
pub async fn reconcile(
    database: &Database,
    client_for: impl ClientFor,
    hints: Vec<Hint>,
    options: ReconcileOptions<'_>,
) -> Result<Report, db::Error> {
    let mut report = Report::of(hints.len());
    let mut pending = Pending::of(hints);
    for _ in 0..ROUNDS {
        if pending.is_empty() {
            break;
        }
        let round = Round::begin(database, options, &pending, &mut report).await?;
        let again = Box::pin(round.run(&client_for)).await?;
        // Runs after COMMIT. A writer whose row this query misses sees our look at the digest, and
        // makes its own look again.
        let tags = database.tags_with_digest(pending.digests()).await?;
        pending = pending.next(again, tags);
    }
    for subject in pending.subjects() {
        report.fail(&pending, [subject], Error::Unsettled { subject: subject.clone() });
    }
    Ok(report)
}
