//! The progress of a backfill. A run may take several invocations, so the database keeps its
//! progress in `discovery_instances.progress`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::context::Context;

/// Limits the pause of a run that is resumed. A run may take longer than that: if it started again
/// after a day, the last repositories of a large registry would never be compared. What changes
/// behind its position is compared by the next run, which is due at once.
const PAUSE_MAX: Duration = Duration::from_hours(24);

/// The pause after a run with errors, if the request limits how often runs start.
const AFTER_ERRORS: Duration = Duration::from_hours(1);

/// Records the progress of a run. Times come from the database, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Progress {
    pub(super) began_at: i64,
    /// The start of the last invocation that worked on the run.
    #[serde(default)]
    worked_at: Option<i64>,
    /// Names the last repository that was compared.
    pub(super) behind: Option<String>,
    /// Says whether the run had an error.
    pub(super) has_failed: bool,
    /// Counts the tags that an import would look up, as far as they were compared.
    #[serde(default)]
    pub(super) would_add: u64,
    /// The start of the last run that ended without an error. That run repaired all losses before
    /// its start.
    pub(super) covered_until: Option<i64>,
    /// The end of the last run.
    ended_at: Option<i64>,
    /// Says whether a run is unfinished.
    is_running: bool,
}

/// Names the row and the scope of a run's progress.
#[derive(Clone, Copy)]
pub(super) struct ProgressKey<'a> {
    pub(super) name: &'a str,
    pub(super) source: &'a str,
    pub(super) scope: &'a str,
}

impl ProgressKey<'_> {
    /// Writes the progress.
    ///
    /// # Errors
    /// Fails if the database cannot be used.
    pub(super) async fn keep(self, context: &Context, progress: &Progress) -> anyhow::Result<()> {
        let Self { name, source, scope } = self;
        let progress = serde_json::to_value(progress)?;
        Ok(context.database.set_progress(name, source, scope, &progress).await?)
    }
}

impl Progress {
    /// Returns the run to resume or a new one. Returns `None` if `unless_within` allows none yet.
    pub(super) fn begin(
        stored: Option<Self>,
        unless_within: Option<Duration>,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let now = milliseconds(now);
        // A time in the future comes from a wrong clock, so it is ignored.
        let is_within = |since: Option<i64>, duration: Duration| {
            since.is_some_and(|since| {
                (0..i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
                    .contains(&(now - since))
            })
        };
        if let Some(running) = stored.clone().filter(|stored| {
            stored.is_running && is_within(Some(stored.last_worked_at()), PAUSE_MAX)
        }) {
            return Some(running);
        }
        let covered_until = stored.as_ref().and_then(|stored| stored.covered_until);
        if let (Some(within), Some(stored)) = (unless_within, stored) {
            let failed_lately =
                stored.has_failed && is_within(stored.ended_at, AFTER_ERRORS.min(within));
            if !stored.is_running && (is_within(covered_until, within) || failed_lately) {
                return None;
            }
        }
        Some(Self {
            began_at: now,
            worked_at: None,
            behind: None,
            has_failed: false,
            would_add: 0,
            covered_until,
            ended_at: None,
            is_running: true,
        })
    }

    /// Records that an invocation works on the run.
    pub(super) fn work(&mut self, now: OffsetDateTime) {
        self.worked_at = Some(milliseconds(now));
    }

    fn last_worked_at(&self) -> i64 {
        self.worked_at.unwrap_or(self.began_at)
    }

    /// Returns whether a run is due before its time: events may be lost since the last run without
    /// an error began. If many signs come, such a run starts at most once an hour.
    pub(super) fn misses_events(&self, lost_at: OffsetDateTime, now: OffsetDateTime) -> bool {
        let pause = i64::try_from(AFTER_ERRORS.as_millis()).unwrap_or(i64::MAX);
        let has_rested =
            self.ended_at.is_none_or(|ended| !(0..pause).contains(&(milliseconds(now) - ended)));
        has_rested && self.covered_until.is_some_and(|covered| covered < milliseconds(lost_at))
    }

    pub(super) fn end(&mut self, now: OffsetDateTime) {
        (self.is_running, self.ended_at) = (false, Some(milliseconds(now)));
        if !self.has_failed {
            self.covered_until = Some(self.began_at);
        }
    }
}

pub(super) fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    #[test]
    fn run_is_due_early_if_events_may_be_lost_since_the_last_one_began() {
        let later = |minutes| NOW + time::Duration::minutes(minutes);
        let mut done = Progress::begin(None, None, NOW).unwrap();
        assert!(!done.misses_events(later(1), later(90)), "the first run is due anyway");
        done.end(later(10));
        for (lost_at, now, misses) in
            [(1, 90, true), (1, 69, false), (1, 70, true), (-1, 90, false), (0, 90, false)]
        {
            assert_eq!(done.misses_events(later(lost_at), later(now)), misses, "{lost_at} {now}");
        }
        assert!(done.misses_events(later(1), later(5)), "a clock that was wrong");
    }

    #[test]
    fn interrupted_run_is_resumed_and_new_run_starts_only_when_due() {
        let day = Some(Duration::from_hours(24));
        let later = |hours| NOW + time::Duration::hours(hours);
        let run = Progress::begin(None, day, NOW).unwrap();
        assert!(run.is_running && run.behind.is_none());
        let interrupted = Progress { behind: Some("b".to_owned()), ..run.clone() };
        assert_eq!(
            Progress::begin(Some(interrupted.clone()), day, later(1)),
            Some(interrupted.clone())
        );
        assert_eq!(
            Progress::begin(Some(interrupted), day, later(25)).unwrap().behind,
            None,
            "too long ago"
        );

        let mut long = run.clone();
        for hour in (0..=72).step_by(23) {
            long = Progress { behind: Some("b".to_owned()), ..long };
            long.work(later(hour));
        }
        let resumed = Progress::begin(Some(long.clone()), day, later(80));
        assert_eq!(resumed, Some(long), "a run may take days");

        let mut done = run.clone();
        done.end(later(2));
        assert_eq!(Progress::begin(Some(done.clone()), day, later(23)), None);
        assert!(Progress::begin(Some(done.clone()), None, later(3)).is_some());
        assert!(
            Progress::begin(Some(done.clone()), day, later(-1)).is_some(),
            "a clock that was wrong"
        );
        let next = Progress::begin(Some(done), day, later(24)).unwrap();
        assert_eq!(
            (next.began_at, next.behind),
            (milliseconds(later(24)), None),
            "the interval counts from the start of a run"
        );

        let mut failed = Progress { has_failed: true, ..run };
        failed.end(NOW);
        assert!(Progress::begin(Some(failed.clone()), day, later(0)).is_none(), "not immediately");
        assert!(Progress::begin(Some(failed), day, later(1)).is_some(), "a failed run is retried");
    }
}
