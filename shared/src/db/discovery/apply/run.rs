//! Writes observations: in batches, again after a deadlock, and without those that the database
//! refuses.

use std::time::Duration;

use tokio_postgres::Row;
use tracing::warn;

use super::columns::ObservationColumns;
use super::transaction::{AppliedRows, write};
use super::writer::Writer;
use crate::db::{Database, Error};
use crate::domain::{Observation, Subject, TagFormats};

/// Observations per transaction. Round trips hardly count at this size, and the transaction stays
/// short.
const BATCH: usize = 1000;

/// Attempts at a transaction that met a deadlock, a serialization failure or a dead connection.
const ATTEMPTS: u32 = 4;

/// The result of writing observations.
#[derive(Debug, Default)]
pub struct Applied {
    /// Tags that got an available chart row, new or again.
    pub available: Vec<Subject>,
    /// Chart rows that were written and are BROKEN.
    pub broken: u64,
    /// Tags whose chart row became unavailable.
    pub unavailable: Vec<Subject>,
    /// Subjects that must be looked at again, because their observation may be outdated.
    pub ask_again: Vec<Subject>,
    /// Subjects that the database refuses, each with its reason.
    pub rejected: Vec<(Subject, Error)>,
    /// The instance's generation after each transaction.
    pub generations: Vec<i64>,
}

impl Database {
    /// Writes observations, at most one per subject, and the changes that follow from them.
    /// `formats` parse the tags of new charts.
    ///
    /// A caller may repeat this, and others may write at the same time. The newest observation of a
    /// subject wins, in whatever order they arrive.
    ///
    /// # Errors
    /// When the database cannot be written. If it refuses the data of an observation, that subject
    /// is in [`Applied::rejected`] and the others are written.
    pub async fn apply(
        &self,
        observations: &[Observation],
        writer: Writer<'_>,
        formats: Option<&TagFormats>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let mut batches: Vec<&[Observation]> = observations.chunks(BATCH).rev().collect();
        while let Some(batch) = batches.pop() {
            match self.apply_batch(batch, writer, formats, &mut applied).await {
                Ok(()) => {}
                // The batch is halved until the refused observation stands alone.
                Err(error) if error.is_data_error() => match batch {
                    [only] => applied.rejected.push((only.subject.clone(), error)),
                    several => {
                        let (first, second) = several.split_at(several.len() / 2);
                        batches.extend([second, first]);
                    }
                },
                Err(error) => return Err(error),
            }
        }
        Ok(applied)
    }

    async fn apply_batch(
        &self,
        batch: &[Observation],
        writer: Writer<'_>,
        formats: Option<&TagFormats>,
        applied: &mut Applied,
    ) -> Result<(), Error> {
        let batch = ObservationColumns::of(batch, formats);
        let mut attempt = 1;
        let rows = loop {
            let what = "write the observations";
            match self.run(what, async |client| write(client, &batch, writer).await).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    warn!(
                        error = %crate::telemetry::Causes(&error),
                        attempt,
                        "writing the observations again"
                    );
                    // Two writers that met in a deadlock must not meet again at once.
                    let pause = fastrand::u64(1..=20 << attempt);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    attempt += 1;
                }
                other => break other?,
            }
        };
        applied.add(&batch, &rows);
        Ok(())
    }
}

impl Applied {
    fn add(&mut self, batch: &ObservationColumns<'_>, rows: &AppliedRows) {
        let subjects = |rows: &[Row]| -> Vec<Subject> {
            rows.iter().filter_map(|row| batch.subjects.of_row(row)).cloned().collect()
        };
        self.available.extend(subjects(&rows.added));
        self.broken += count_true(&rows.added, 3) + count_true(&rows.refreshed, 0);
        self.unavailable.extend(subjects(&rows.retired));
        self.ask_again.extend(subjects(&rows.outdated));
        let generation = rows.generation.first().and_then(|row| row.try_get::<_, i64>(0).ok());
        self.generations.extend(generation);
    }
}

fn count_true(rows: &[Row], column: usize) -> u64 {
    let is_true = |row: &&Row| row.try_get(column).is_ok_and(|value: bool| value);
    rows.iter().filter(is_true).count() as u64
}
