//! The numbers and errors of one invocation: its answer, its metrics and its health.

use std::time::Duration;

use serde::Serialize;
use shared::db::{FaultOverview, HiddenOverview, OrphanedRegistry};
use shared::domain::{Repository, Tag};
use shared::metrics::{self, Metric, VALUES_MAX};
use shared::oci::NamePage;
use shared::reconcile::Report;
use shared::telemetry::Utc;
use time::OffsetDateTime;
use tracing::warn;

/// The most errors in a summary. An answer of Lambda has at most 6 MB.
const ERRORS_MAX: usize = 50;

/// The longest error, in bytes.
const ERROR_MAX: usize = 2048;

/// The most errors in the instance's health.
const HEALTH_ERRORS_MAX: usize = 5;

/// The numbers of one invocation. `repositories`, `tags` and `held` are those of its last pass. The
/// other numbers are the sums of all its passes.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PollSummary {
    /// The instance's name.
    pub(crate) instance: String,
    /// Passes that the invocation began or resumed.
    pub(crate) passes: u64,
    /// Repositories whose tags were listed.
    pub(crate) repositories: u64,
    /// Tags in those lists.
    pub(crate) tags: u64,
    /// References that were looked up.
    pub(crate) manifests: u64,
    /// Chart rows that became available.
    pub(crate) added: u64,
    /// Chart rows that became unavailable.
    pub(crate) unavailable: u64,
    /// Charts that were found to be BROKEN.
    pub(crate) broken: u64,
    /// Names outside the specification's grammar, and references that are not charts.
    pub(crate) skipped: u64,
    /// Tags that are held back: missing from the registry, and not believed to be deleted yet.
    pub(crate) held: u64,
    /// References whose look failed, and repositories that failed or hung, whose next try is not
    /// due yet.
    pub(crate) waiting: u64,
    /// Repositories with charts that the credentials may no longer read.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) hidden: u64,
    /// Repositories whose tags were not listed, because the vendor's list says that they are
    /// unchanged.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) spared: u64,
    /// The errors, each with its repository.
    pub(crate) errors: Vec<String>,
    /// Whether the last pass came to its end without an error.
    pub(crate) complete: bool,
    /// Tags that a rescan of the instance has not read again yet; `None` without such a rescan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<u64>,
    /// Names outside the grammar in the last pass. They are part of `skipped`, and the next pass
    /// counts them again.
    #[serde(skip)]
    unnameable: u64,
    /// The references that wait or are past a limit, a few of them by name.
    #[serde(skip)]
    faults: FaultOverview,
    /// The orphans under former names of the registry.
    #[serde(skip)]
    former: Vec<OrphanedRegistry>,
    /// Why the marks of the vendor's list are not used.
    #[serde(skip)]
    pub(crate) marks_off: Option<String>,
    /// Whether the current pass has had an error.
    #[serde(skip)]
    pass_failed: bool,
    /// `held` of the last pass that came to its end.
    #[serde(skip)]
    held_at_end: Option<u64>,
    /// The seconds since the last whole pass began, at the end of the invocation.
    #[serde(skip)]
    pub(crate) lag: Option<u64>,
    /// When a row last changed.
    #[serde(skip)]
    pub(crate) changed_at: Option<OffsetDateTime>,
    /// The duration of each whole pass.
    #[serde(skip)]
    durations: Vec<Duration>,
}

impl PollSummary {
    /// Creates an empty summary.
    pub(crate) fn of(instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..Self::default() }
    }

    /// Begins a pass: resets the numbers that are those of the last pass.
    pub(crate) fn begin_pass(&mut self) {
        self.skipped -= self.unnameable;
        (self.repositories, self.tags, self.held, self.unnameable) = (0, 0, 0, 0);
        self.spared = 0;
        (self.complete, self.pass_failed) = (false, false);
        self.passes += 1;
    }

    /// Counts a repository's list of tags.
    pub(crate) fn count_list(&mut self, page: &NamePage<Tag>) {
        self.repositories += 1;
        self.tags += page.names.len() as u64;
        self.skip_names(page.skipped);
    }

    /// Counts names outside the grammar.
    pub(crate) fn skip_names(&mut self, count: u64) {
        self.unnameable += count;
        self.skipped += count;
    }

    /// Notes that a pass came to its end. `duration` is `None` if an earlier invocation began it.
    pub(crate) fn end_pass(&mut self, duration: Option<Duration>) {
        self.held_at_end = Some(self.held);
        if self.durations.len() < VALUES_MAX {
            self.durations.extend(duration);
        }
    }

    /// Takes the stored faults over.
    pub(crate) fn set_faults(&mut self, faults: FaultOverview) {
        self.waiting = faults.waiting + faults.repositories;
        self.hidden = faults.hidden.repositories;
        self.faults = faults;
    }

    /// Takes over the orphans under former names of the registry.
    pub(crate) fn set_former(&mut self, former: Vec<OrphanedRegistry>) {
        self.former = former;
    }

    /// Emits the metrics.
    pub(crate) fn measure(&self) {
        let instance = &self.instance;
        Metric::ChartsAdded.count(instance, self.added);
        Metric::ChartsUnavailable.count(instance, self.unavailable);
        Metric::ChartsBroken.count(instance, self.broken);
        Metric::ReferencesSkipped.count(instance, self.skipped);
        if let Some(held) = self.held_at_end {
            Metric::HeldBack.record(instance, held);
        }
        if let Some(lag) = self.lag {
            Metric::PollLag.record(instance, lag);
        }
        for duration in &self.durations {
            Metric::PassDuration.record(instance, metrics::milliseconds(*duration));
        }
    }

    /// Returns whether the last pass listed the tags of a repository, or knew them by its mark.
    pub(crate) fn has_lists(&self) -> bool {
        self.repositories + self.spared > 0
    }

    /// Returns whether the current pass has had an error.
    pub(crate) fn pass_has_failed(&self) -> bool {
        self.pass_failed
    }

    /// Notes an error once. If there are too many, notes only that there are more.
    pub(crate) fn add_error(&mut self, mut error: String) {
        self.pass_failed = true;
        error.truncate(error.floor_char_boundary(ERROR_MAX));
        if self.errors.contains(&error) {
            return;
        }
        match self.errors.len() {
            ..ERRORS_MAX => self.errors.push(error),
            ERRORS_MAX => self.errors.push("and more, which are in the log".to_owned()),
            _ => {}
        }
    }

    /// Notes and logs an error of one repository. The pass continues with the others.
    pub(crate) fn add_repository_error(&mut self, repository: &Repository, error: &anyhow::Error) {
        warn!(%repository, "{error:#}");
        self.add_error(format!("{repository}: {error:#}"));
    }

    /// Adds the numbers of a lookup.
    pub(crate) fn add_report(&mut self, report: &Report) {
        self.manifests += report.lookups;
        self.added += report.added;
        self.unavailable += report.unavailable;
        self.broken += report.broken;
        self.skipped += report.not_charts;
        self.held += report.held;
        if report.added + report.unavailable > 0 {
            self.changed_at = Some(OffsetDateTime::now_utc());
        }
    }

    /// Returns the error for the instance's health: the tags that are held back, the references
    /// that wait or are past a limit, and the errors. If the last pass had no error, earlier ones
    /// are left out.
    pub(crate) fn health_error(&self) -> Option<String> {
        let held = format!(
            "{} tags are missing from the registry and held back: their charts become unavailable \
             if they are still missing after oci.deletionHold",
            self.held
        );
        let held = (self.held > 0).then_some(held);
        let errors = if self.complete { &[] } else { self.errors.as_slice() };
        let more = errors.len().saturating_sub(HEALTH_ERRORS_MAX);
        let errors = errors.iter().take(HEALTH_ERRORS_MAX).cloned();
        let more = (more > 0).then(|| format!("and {more} more"));
        let held = held.into_iter().chain(self.hidden_shown());
        let held = held.chain(self.former.iter().map(former_shown)).chain(self.marks_off.clone());
        let all = held.chain(self.faults_shown()).chain(errors).chain(more);
        let all: Vec<String> = all.collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn hidden_shown(&self) -> Option<String> {
        let HiddenOverview { repositories, since, named } = &self.faults.hidden;
        let since = Utc((*since)?);
        Some(format!(
            "{repositories} repositories are hidden from these credentials since {since}, and \
             their charts stay as they are. Let the credentials read them. If they were deleted, \
             end their charts with a release of each: {}",
            named.join(", ")
        ))
    }

    fn faults_shown(&self) -> Option<String> {
        let FaultOverview { repositories, waiting, skipped, named, hidden: _ } = &self.faults;
        let part = |count: &u64, what: &str| (*count > 0).then(|| format!("{count} {what}"));
        let counted = [
            part(repositories, "repositories wait for their next visit"),
            part(waiting, "references wait for their next try"),
            part(skipped, "references are skipped, because they are past a limit"),
        ];
        let counted: Vec<String> = counted.into_iter().flatten().collect();
        (!counted.is_empty()).then(|| format!("{}: {}", counted.join(", "), named.join(", ")))
    }
}

fn former_shown(orphan: &OrphanedRegistry) -> String {
    let OrphanedRegistry { domain_name, charts, .. } = orphan;
    format!(
        "{charts} charts of {domain_name} stay available, because the registry had this name \
         before oci.registryUrl or oci.domain changed. To end them, invoke oci-poll with {}",
        serde_json::json!({"orphans": domain_name})
    )
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_pass_resets_the_numbers_of_the_last_pass() {
        let mut summary = PollSummary::of("x");
        for _ in 0..3 {
            summary.begin_pass();
            summary.repositories += 2;
            summary.skip_names(3);
            summary.add_error("a: 500".to_owned());
            assert!(summary.pass_has_failed());
        }
        summary.skipped += 1;
        assert_eq!((summary.passes, summary.repositories, summary.skipped), (3, 2, 4));
        assert_eq!(summary.errors, ["a: 500"]);
    }

    #[test]
    fn errors_are_bounded_and_health_names_held_tags_first() {
        let mut summary = PollSummary::of("x");
        assert_eq!(summary.health_error(), None);
        (0..100).for_each(|n| summary.add_error(n.to_string()));
        assert_eq!(summary.errors.len(), ERRORS_MAX + 1);
        summary.held = 12;
        let health = summary.health_error().unwrap();
        summary.complete = true;
        assert!(summary.health_error().unwrap().ends_with("oci.deletionHold"));
        assert!(
            health.starts_with("12 tags are missing") && health.ends_with("; 3; 4; and 46 more"),
            "{health}"
        );
    }
}
