//! The permit to have a large chart in memory.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Whoever holds the lock may have a large chart in memory, so that many of them do not add up.
pub(crate) type Room = Arc<Mutex<()>>;

/// A large chart is in memory for as long as this is held.
pub(crate) type Taken = Option<OwnedMutexGuard<()>>;
