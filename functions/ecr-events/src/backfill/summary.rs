//! The answer of a backfill.

use serde::Serialize;
use shared::reconcile::Report;

/// Limits the errors in an answer.
const ERRORS_MAX: usize = 50;

/// Reports what a backfill did.
#[derive(Debug, Default, Serialize)]
pub(super) struct BackfillSummary {
    /// Names the row in `discovery_instances`.
    pub(super) instance: String,
    /// Counts the compared repositories.
    pub(super) repositories: u64,
    /// Counts the tags in them.
    pub(super) tags: u64,
    /// Counts the lookups.
    pub(super) manifests: u64,
    /// Counts the chart rows that became available.
    pub(super) added: u64,
    /// Counts the chart rows that became unavailable.
    pub(super) unavailable: u64,
    /// Counts the broken charts.
    pub(super) broken: u64,
    /// Counts the invalid names, and the references that are no charts.
    pub(super) skipped: u64,
    /// Counts the tags of the whole run that were passed over, because no import was asked for.
    /// `None` if the backfill may add every chart.
    #[serde(rename = "wouldAdd", skip_serializing_if = "Option::is_none")]
    pub(super) would_add: Option<u64>,
    /// Lists the errors, each with its repository.
    pub(super) errors: Vec<String>,
    /// Says whether the latest run, now or earlier, ended without an error.
    pub(super) complete: bool,
    /// Says whether a run was due. If none was due, the health stays as it is.
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

    /// Returns the success and the first error for the instance's health.
    pub(super) fn health(&self) -> (bool, Option<&str>) {
        (self.complete, self.errors.first().map(String::as_str))
    }
}
