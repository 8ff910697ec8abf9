//! The facts of a diagnosis that come from other places than the rows.

use std::time::Duration;

use shared::diagnose::{Live, Step, StepId};
use time::OffsetDateTime;

use super::instance::WatchingInstance;
use super::reference::PastedReference;

/// The pasted reference, the instance that watches it, and the answer of the instance's function.
pub(super) struct Evidence<'a> {
    pub(super) pasted: &'a PastedReference,
    pub(super) watch: Option<WatchingInstance>,
    pub(super) live: Live,
    pub(super) now: OffsetDateTime,
}

impl Evidence<'_> {
    /// Returns how long the instance holds missing tags back.
    pub(super) fn hold(&self) -> Duration {
        let hold = self.watch.as_ref().and_then(|watch| watch.setting("deletionHold"));
        let hold = hold.and_then(|hold| humantime::parse_duration(hold).ok());
        hold.unwrap_or(Duration::from_hours(1))
    }

    /// Returns the first step that failed at the registry.
    pub(super) fn failed(&self) -> Option<StepId> {
        self.live.steps.iter().find(|step| step.has_failed()).map(|step| step.id)
    }

    /// Returns the steps at the registry that were not made, with the reason.
    pub(super) fn skipped(&self) -> impl Iterator<Item = Step> {
        let made: Vec<StepId> = self.live.steps.iter().map(|step| step.id).collect();
        let is_whole = !made.is_empty() && self.failed().is_none();
        let why = if is_whole { "No tag is given." } else { "Not looked at: another step failed." };
        StepId::LIVE
            .into_iter()
            .filter(move |id| !made.contains(id))
            .map(move |id| Step::skipped(id, why))
    }
}
