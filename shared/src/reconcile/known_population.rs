//! The population of an instance, counted once for many lost charts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::db::{Database, Error, Population};
use crate::domain::{Registry, Selection};

/// How long a count is used. Other writers lose and restore charts meanwhile.
const COUNTED_FOR: Duration = Duration::from_mins(1);

/// The numbers of an instance's charts as one run knows them. A count reads every chart of the
/// registry. So the run counts once, and then adds the charts that it loses itself. Otherwise the
/// cost of a mass disappearance would grow with its square.
#[derive(Debug, Default)]
pub struct KnownPopulation(Mutex<Option<CountedPopulation>>);

#[derive(Debug, Clone, Copy)]
struct CountedPopulation {
    population: Population,
    counted_at: Instant,
}

impl KnownPopulation {
    /// Returns the population. Asks the database if there is no recent count.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn get(
        &self,
        database: &Database,
        registry: &Registry,
        selection: Option<&Selection>,
    ) -> Result<Population, Error> {
        let is_recent = |counted: &CountedPopulation| counted.counted_at.elapsed() < COUNTED_FOR;
        let counted = self.counted().filter(is_recent);
        if let Some(counted) = counted {
            return Ok(counted.population);
        }
        let counted_at = Instant::now();
        let population = database.population(registry, selection).await?;
        *self.counted() = Some(CountedPopulation { population, counted_at });
        Ok(population)
    }

    /// Adds charts that became unavailable.
    pub(super) fn add_lost(&self, charts: u64) {
        if let Some(CountedPopulation { population, .. }) = &mut *self.counted() {
            population.available = population.available.saturating_sub(charts);
            population.lately_gone += charts;
        }
    }

    /// Adds charts that were marked as missing.
    pub fn add_held(&self, charts: u64) {
        if let Some(CountedPopulation { population, .. }) = &mut *self.counted() {
            population.lately_gone += charts;
        }
    }

    fn counted(&self) -> MutexGuard<'_, Option<CountedPopulation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
