//! A value that is read once, and again when it may have changed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::warn;

/// How old a value may become.
const CACHED: Duration = Duration::from_mins(10);

/// How old a value must be before a wrong proof makes the program read it again. Else forged
/// webhooks would cause a request each.
const CACHED_AT_LEAST: Duration = Duration::from_mins(1);

/// The time for one read. A sender waits only a few seconds.
const READ: Duration = Duration::from_secs(2);

/// A value that is read when it is first used.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    last: Mutex<Option<Last<T>>>,
}

/// The last value, and when the program last tried to read it.
#[derive(Debug)]
struct Last<T> {
    value: Arc<T>,
    tried_at: Instant,
}

impl<T> Cached<T> {
    /// Makes a cache without a value.
    pub(crate) fn new() -> Self {
        Self { last: Mutex::new(None) }
    }

    /// Returns the value, and reads it if there is none or if it is old.
    ///
    /// # Errors
    /// There is no value, and it cannot be read.
    pub(crate) async fn get(
        &self,
        read: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Arc<T>> {
        self.younger_than(CACHED, read).await
    }

    /// Returns the value after a wrong proof. It is read again unless that happened within the last
    /// minute.
    ///
    /// # Errors
    /// There is no value, and it cannot be read.
    pub(crate) async fn get_again(
        &self,
        read: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Arc<T>> {
        self.younger_than(CACHED_AT_LEAST, read).await
    }

    /// Holds the lock during the read, because one read at a time is enough.
    async fn younger_than(
        &self,
        age: Duration,
        read: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Arc<T>> {
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.tried_at.elapsed() < age) {
            return Ok(Arc::clone(&last.value));
        }
        let read = timeout(READ, read).await.map_err(|_| anyhow!("no answer within {READ:?}"));
        match (read.and_then(|read| read), last.as_mut()) {
            (Ok(value), _) => {
                let value = Arc::new(value);
                *last = Some(Last { value: Arc::clone(&value), tried_at: Instant::now() });
                Ok(value)
            }
            (Err(error), Some(last)) => {
                warn!(error = %format!("{error:#}"), "the old value stays in use");
                last.tried_at = Instant::now();
                Ok(Arc::clone(&last.value))
            }
            (Err(error), None) => Err(error).context("there is no older value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn value_is_read_again_when_it_is_old_and_survives_a_failed_read() {
        let cached = Cached::new();
        let fails = async || Err(anyhow!("away"));
        assert!(cached.get(fails()).await.is_err());
        assert_eq!(*cached.get(async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(*cached.get(async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cached.get_again(async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cached.younger_than(Duration::ZERO, async { Ok(2) }).await.unwrap(), 2);
        assert_eq!(*cached.younger_than(Duration::ZERO, fails()).await.unwrap(), 2);
        assert_eq!(*cached.get(async { Ok(3) }).await.unwrap(), 2);
    }

    /// Makes the last read of a value this much older.
    async fn age(cached: &Cached<i32>, by: Duration) {
        let mut last = cached.last.lock().await;
        let last = last.as_mut().unwrap();
        last.tried_at = last.tried_at.checked_sub(by).unwrap();
    }

    #[tokio::test]
    async fn wrong_proof_reads_the_value_again_once_a_minute() {
        let cached = Cached::new();
        assert_eq!(*cached.get(async { Ok(1) }).await.unwrap(), 1);
        age(&cached, CACHED_AT_LEAST).await;
        assert_eq!(*cached.get(async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cached.get_again(async { Ok(2) }).await.unwrap(), 2);
        assert_eq!(*cached.get_again(async { Ok(3) }).await.unwrap(), 2);
        age(&cached, CACHED).await;
        assert_eq!(*cached.get(async { Ok(3) }).await.unwrap(), 3);
    }
}
