//! The answer of a backfill.

use serde::Serialize;
use shared::reconcile::Report;

/// The most errors that an answer carries.
const ERRORS_MAX: usize = 50;

/// What a backfill answers.
#[derive(Debug, Default, Serialize)]
pub(super) struct BackfillSummary {
    /// The row in `discovery_instances`.
    pub(super) instance: String,
    /// Repositories gone over.
    pub(super) repositories: u64,
    /// Tags in them.
    pub(super) tags: u64,
    /// References looked up.
    pub(super) manifests: u64,
    /// Chart rows that became available.
    pub(super) added: u64,
    /// Chart rows that became unavailable.
    pub(super) unavailable: u64,
    /// Charts found to be broken.
    pub(super) broken: u64,
    /// Names that cannot be, and references that turned out to be no charts.
    pub(super) skipped: u64,
    /// What went wrong, each with the repository it went wrong in.
    pub(super) errors: Vec<String>,
    /// Whether a run came to its end without an error: now, or so lately that nothing was due.
    pub(super) complete: bool,
    #[serde(skip)]
    pub(super) was_due: bool,
}

impl BackfillSummary {
    pub(super) fn add(&mut self, report: &Report) {
        self.manifests += report.lookups;
        self.added += report.added;
        self.unavailable += report.unavailable;
        self.broken += report.broken;
        self.skipped += report.not_charts;
    }

    pub(super) fn add_error(&mut self, error: String) {
        if self.errors.len() < ERRORS_MAX && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Whether there was anything to do.
    pub(super) fn was_due(&self) -> bool {
        self.was_due
    }

    /// What the instance's health says.
    pub(super) fn health(&self) -> (bool, Option<&str>) {
        (self.complete, self.errors.first().map(String::as_str))
    }
}
