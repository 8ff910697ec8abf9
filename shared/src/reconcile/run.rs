//! The three steps in a row, for a batch of hints, until nothing in it has to be asked again.

use super::pending::Pending;
use super::report::{Error, Report};
use super::round::Round;
use super::{ClientFor, Hint, Terms};
use crate::db::{self, Database};

/// Rounds after which a reference that keeps changing is given up. Each is a new look at the
/// registry, so a second one is rare and a third needs a tag that is deleted and pushed in a tight
/// loop.
const ROUNDS: usize = 5;

/// Looks at what the hints name and writes what follows. Safe to repeat and safe beside any number
/// of others doing the same. Shortly before the deadline it stops looking and writes what it has
/// seen.
///
/// # Errors
/// When the database cannot be read or written. Some of the batch may have been written then.
pub async fn reconcile(
    database: &Database,
    client_for: impl ClientFor,
    hints: Vec<Hint>,
    terms: Terms<'_>,
) -> Result<Report, db::Error> {
    let mut report = Report::of(hints.len());
    let mut pending = Pending::of(hints);
    for _ in 0..ROUNDS {
        if pending.is_empty() {
            break;
        }
        let round = Round::begin(database, terms, &pending, &mut report).await?;
        let again = Box::pin(round.run(&client_for)).await?;
        // That a digest was looked at is committed by now: whoever writes a row that is not found
        // here yet will find it there.
        let tags = database.tags_with_digest(pending.digests()).await?;
        pending = pending.next(again, tags);
    }
    for subject in pending.subjects() {
        report.fail(&pending, [subject], Error::Unsettled { subject: subject.clone() });
    }
    Ok(report)
}
