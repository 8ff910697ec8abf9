//! What the row step says about looks that failed, and about artifacts past a limit.

use shared::db::{Findings, FoundFault};
use time::OffsetDateTime;

use crate::times::{ago, at};

/// Returns why discovery did not look at the reference or its repository, and when it tries again.
/// Returns `None` if nothing failed.
pub(super) fn note(found: &Findings, now: OffsetDateTime) -> Option<String> {
    found.faults.first().map(|fault| describe(fault, now))
}

/// Returns the time of the next try, if it is not due yet.
pub(super) fn next_try(found: &Findings, now: OffsetDateTime) -> Option<OffsetDateTime> {
    found.faults.iter().map(|fault| fault.next_at).max().filter(|next_at| *next_at > now)
}

fn describe(fault: &FoundFault, now: OffsetDateTime) -> String {
    let FoundFault { error, attempts, .. } = fault;
    let last = ago(now - fault.last_at);
    let next = if fault.next_at > now {
        format!("The next try is at {}.", at(fault.next_at))
    } else {
        "The next pass tries again.".to_owned()
    };
    match (fault.kind.as_str(), fault.is_of_repository) {
        ("skipped", _) => format!(
            "Discovery skipped it {last}, because the artifact is past a limit: {error}. {next}"
        ),
        ("hidden", _) => {
            let since = at(fault.first_at);
            format!("The repository is hidden from the credentials since {since}: {error}. {next}")
        }
        (_, true) => format!(
            "Discovery could not visit the repository {last}, at try {attempts}: {error}. {next}"
        ),
        (_, false) => {
            format!("Discovery could not look at it {last}, at try {attempts}: {error}. {next}")
        }
    }
}
