//! Looks up hints: the step from an event, a backfill or a rescan to `reconcile`.

use std::time::Duration;

use futures_util::FutureExt as _;
use shared::db::{self, Writer};
use shared::domain::Registry;
use shared::reconcile::{Deletions, Hint, KnownPopulation, ReconcileOptions, Report, reconcile};
use tokio::time::Instant;

use crate::clients::CONCURRENCY;
use crate::context::Context;
use crate::metrics::measure_report;
use crate::retry::retry;

/// How long a chart is held back whose absence is not confirmed. ECR confirms each absence.
const HOLD: Duration = Duration::from_hours(1);

/// Looks at what the hints name and writes the changes. It believes a deletion as soon as the
/// registry confirms it, and retries while the database is away.
///
/// # Errors
/// Fails if the database stays away until the deadline, or refuses a statement for good.
pub(crate) async fn look_up(
    context: &Context,
    hints: Vec<Hint>,
    deadline: Instant,
) -> Result<Report, db::Error> {
    let client_for = |registry: &Registry| context.clients.get(registry, deadline);
    let writer =
        Writer { instance: None, notes_changes: false, kind_naming: context.settings.kind_naming };
    let population = KnownPopulation::default();
    let options = ReconcileOptions {
        writer,
        concurrency: CONCURRENCY,
        deadline,
        deletions: Deletions::Believed { hold: HOLD },
        selection: None,
        population: &population,
        formats: context.formats.as_ref(),
    };
    let attempt = || reconcile(&context.database, client_for, hints.clone(), options).boxed_local();
    let outcome = retry(deadline, attempt).await;
    if let Ok(report) = &outcome {
        measure_report(context.measured_name(), report);
    }
    outcome
}
