//! The permit for having a large chart in memory.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Hands out one permit at a time, because many large charts at once would exhaust the memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct LargeChartPermits(Arc<Mutex<()>>);

/// The right to have a large chart in memory. Dropping it lets the next chart in.
#[derive(Debug)]
pub(crate) struct LargeChartPermit {
    _guard: OwnedMutexGuard<()>,
}

impl LargeChartPermits {
    /// Waits for the permit.
    pub(super) async fn acquire(&self) -> LargeChartPermit {
        LargeChartPermit { _guard: Arc::clone(&self.0).lock_owned().await }
    }

    /// Takes the permit if it is free.
    pub(super) fn try_acquire(&self) -> Option<LargeChartPermit> {
        let guard = Arc::clone(&self.0).try_lock_owned().ok()?;
        Some(LargeChartPermit { _guard: guard })
    }
}
