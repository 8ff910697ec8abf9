//! The third and the fourth step of a round: decides what must change, and writes it.

use std::collections::HashSet;

use time::OffsetDateTime;
use tracing::debug;

use super::report::Report;
use super::{Plan, ReconcileOptions, diff};
use crate::db::{self, Database, Mark, Population, StoredState};
use crate::domain::{Observation, Reference, Subject, TagFormats};

/// What the observations of a round are written with.
pub(super) struct ObservationWriting<'a> {
    pub(super) database: &'a Database,
    pub(super) options: ReconcileOptions<'a>,
    pub(super) formats: Option<&'a TagFormats>,
    /// The beginning of the round by the database's clock.
    pub(super) observed_at: OffsetDateTime,
}

/// What is left to do after observations were written.
pub(super) struct WriteOutcome {
    /// Subjects to look at again, because their observation may be outdated.
    pub(super) ask_again: Vec<Subject>,
    /// Subjects whose chart is held back.
    pub(super) held: Vec<Subject>,
    /// Tags of a repository that the registry denies, without a stored observation that found them.
    pub(super) denied: Vec<Subject>,
    /// Subjects that the database refuses, each with its reason.
    pub(super) rejected: Vec<(Subject, db::Error)>,
}

impl ObservationWriting<'_> {
    /// Loads what is stored, decides what must change, and writes it. Counts the changes in
    /// `report`.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub(super) async fn write(
        &self,
        observations: Vec<Observation>,
        report: &mut Report,
    ) -> Result<WriteOutcome, db::Error> {
        let ReconcileOptions { writer, deletions, .. } = self.options;
        let stored = self.database.load(&subjects_to_load(&observations)).await?;
        let population = self.population(&stored, &observations).await?;
        let plan = diff(&stored, population, observations, deletions);
        for subject in &plan.superseded {
            debug!(reference = %subject, "superseded by a later look");
        }
        let applied = self.database.apply(&plan.apply, writer, self.formats).await?;
        report.take_changes(&applied);
        let (database, at) = (self.database, self.observed_at);
        for (mark, tags) in [(Mark::Missing, &plan.hold), (Mark::StillMissing, &plan.still_missing)]
        {
            report.generations.extend(database.mark(mark, tags, at, writer).await?);
        }
        let lost = plan.apply.iter().filter(|seen| stored.loses_chart(seen)).count();
        let held = plan.hold.iter().filter(|subject| stored.is_available(subject)).count();
        self.options.population.add_lost(lost as u64);
        self.options.population.add_held(held as u64);
        let Plan { hold, waiting, still_missing, ask_again, denied, .. } = plan;
        let held: Vec<Subject> = hold.into_iter().chain(waiting).chain(still_missing).collect();
        report.held += held.len() as u64;
        let ask_again = ask_again.into_iter().chain(applied.ask_again).collect();
        Ok(WriteOutcome { ask_again, held, denied, rejected: applied.rejected })
    }

    /// Counts the charts of the instance, if an available chart is gone and may be held back.
    /// Otherwise the diff does not need the count.
    async fn population(
        &self,
        stored: &StoredState,
        observations: &[Observation],
    ) -> Result<Population, db::Error> {
        let missing = observations.iter().find(|observation| stored.loses_chart(observation));
        let ReconcileOptions { selection, population, .. } = self.options;
        match missing {
            Some(missing) if self.options.may_hold_back() => {
                population.get(self.database, &missing.subject.registry, selection).await
            }
            _ => Ok(Population::default()),
        }
    }
}

/// Lists the subjects whose stored state the diff needs: the observed ones, and the digests that
/// they resolve to.
fn subjects_to_load(observations: &[Observation]) -> Vec<Subject> {
    let observed = observations.iter().map(|observation| observation.subject.clone());
    let resolved = observations.iter().filter_map(|observation| {
        let digest = observation.resolution.digest()?.clone();
        Some(Subject { reference: Reference::Digest(digest), ..observation.subject.clone() })
    });
    let unique: HashSet<Subject> = observed.chain(resolved).collect();
    unique.into_iter().collect()
}
