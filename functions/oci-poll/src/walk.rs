//! Looks at stored references page by page, on request and beside the passes. It uses neither the
//! lease nor the cursor, because the guard makes a look safe beside a pass.

use std::sync::Arc;

use anyhow::Context as _;
use shared::db::{self, WalkOver, WalkPlace, Writer};
use shared::domain::{Selection, Subject};
use shared::oci::Client;
use shared::reconcile::{
    self, Deletions, Hint, KnownPopulation, Listing, ReconcileOptions, Report, reconcile,
};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::context::PollContext;
use crate::instance::Instance;
use crate::summary::PollSummary;

/// A walk over stored references.
pub(crate) struct ReferenceWalk<'a> {
    pub(crate) context: &'a PollContext,
    pub(crate) instance: &'a Instance,
    pub(crate) client: Client,
    /// The instance's selection, without what the registry shows only to other instances.
    pub(crate) selection: Selection,
    pub(crate) over: WalkOver,
    /// The most references that are looked at together.
    pub(crate) page_size: i64,
    /// How many looks run at the same time.
    pub(crate) concurrency: usize,
    pub(crate) deletions: Deletions,
    /// The number of the instance's charts, as far as the walk knows it.
    pub(crate) population: KnownPopulation,
    /// What a person says about the absence of the references.
    pub(crate) listing: Listing,
    /// Whether the contents are read again although they are known.
    pub(crate) is_requested: bool,
    /// When the work must be over.
    pub(crate) deadline: Instant,
}

/// Whether a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WalkStep {
    /// A page was looked at.
    Further,
    /// No reference is left.
    Done,
    /// There is no time for more, or the registry accepts no request for now. The summary has the
    /// reason.
    Stopped,
}

impl ReferenceWalk<'_> {
    /// Looks at the references behind a place, and moves the place behind those that were looked
    /// at. A reference that fails is noted in the summary, and the walk continues behind it.
    ///
    /// # Errors
    /// Fails if the database cannot be used.
    pub(crate) async fn step(
        &self,
        place: &mut WalkPlace,
        summary: &mut PollSummary,
    ) -> anyhow::Result<(WalkStep, Vec<Subject>)> {
        let Self { context, instance, over, .. } = *self;
        let (registry, selection) = (&instance.registry, &self.selection);
        let page = context.database.walk(over, registry, selection, place, self.page_size).await?;
        let Some(page) = page else { return Ok((WalkStep::Done, Vec::new())) };
        let report = self.look_at(&page.subjects).await?;
        summary.tags += page.subjects.len() as u64;
        summary.add_report(&report);
        let stop = page.subjects.iter().zip(&report.outcomes).position(|(subject, outcome)| {
            let Err(error) = outcome else { return false };
            let is_over = matches!(**error, reconcile::Error::Unfinished { .. });
            if is_over || error.is_asked_to_wait() {
                let error = anyhow::Error::new(Arc::clone(error));
                let reason = if is_over { String::new() } else { format!(": {error:#}") };
                summary.add_error(format!("the invocation stopped before the end{reason}"));
                return true;
            }
            if error.is_beyond_limits() {
                warn!(error = %shared::telemetry::Causes(&**error), "skipped");
                summary.skipped += 1;
            } else {
                let error = anyhow::Error::new(Arc::clone(error));
                summary.add_repository_error(&subject.repository, &error);
            }
            false
        });
        let mut looked_at = page.subjects;
        let Some(stop) = stop else {
            *place = page.end;
            return Ok((WalkStep::Further, looked_at));
        };
        looked_at.truncate(stop);
        if let Some(Subject { repository, reference, .. }) = looked_at.last() {
            let (repository, tag) = (repository.to_string(), reference.to_string());
            *place = WalkPlace { repository, tag };
        }
        Ok((WalkStep::Stopped, looked_at))
    }

    /// Returns the writer of the rows. The next pass compares the repositories again, because it
    /// may have listed them meanwhile.
    pub(crate) fn writer(&self) -> Writer<'_> {
        let Instance { name, kind_naming, .. } = self.instance;
        Writer { instance: Some(name), notes_changes: true, kind_naming: *kind_naming }
    }

    /// Counts the references behind a place.
    ///
    /// # Errors
    /// Fails if the database cannot be used.
    pub(crate) async fn count(&self, place: &WalkPlace) -> Result<u64, db::Error> {
        let Self { context, instance, over, ref selection, .. } = *self;
        context.database.count_walk(over, &instance.registry, selection, place).await
    }

    async fn look_at(&self, subjects: &[Subject]) -> anyhow::Result<Report> {
        let context = self.context;
        let options = ReconcileOptions {
            selection: Some(&self.selection),
            population: &self.population,
            writer: self.writer(),
            concurrency: self.concurrency,
            deadline: self.deadline,
            deletions: self.deletions,
            formats: context.formats.as_ref(),
        };
        let Self { is_requested, listing, .. } = *self;
        let hint = |subject: &Subject| Hint { is_requested, listing, ..Hint::at(subject.clone()) };
        let hints = subjects.iter().map(hint).collect();
        let client = |_: &_| Ok(self.client.clone());
        let looked = Box::pin(reconcile(&context.database, client, hints, options));
        let report = timeout_at(self.deadline, looked).await;
        Ok(report.context("the invocation's time was over")??)
    }
}
