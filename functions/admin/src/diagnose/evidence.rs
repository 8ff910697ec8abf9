//! What is known of a chart before the rows are read.

use shared::diagnose::{Live, Step, StepId};
use time::OffsetDateTime;

use super::instance::Watch;
use super::reference::Pasted;

/// What the instance's function says, and when.
pub(super) struct Evidence<'a> {
    pub(super) pasted: &'a Pasted,
    pub(super) watch: Option<Watch>,
    pub(super) live: Live,
    pub(super) now: OffsetDateTime,
}

impl Evidence<'_> {
    /// The live step that failed.
    pub(super) fn failed(&self) -> Option<StepId> {
        self.live.steps.iter().find(|step| step.has_failed()).map(|step| step.id)
    }

    /// The live steps that were not made, and why.
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
