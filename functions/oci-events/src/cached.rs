//! A value that is read once, and again when it may have changed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::warn;

/// How old a value may become.
const CACHED: Duration = Duration::from_mins(10);

/// How old a value must be before a wrong proof makes the program read it again. Else forged
/// webhooks would cause a request each.
const CACHED_AT_LEAST: Duration = Duration::from_mins(1);

/// The pause after a failed read, if there is no value. Without it each webhook would cause a
/// request, and wait for it.
const FAILED: Duration = Duration::from_secs(5);

/// The time for one read. A sender waits only a few seconds.
const READ: Duration = Duration::from_secs(2);

/// A value that is read when it is first used.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    last: Mutex<Last<T>>,
}

/// The outcome of the last read.
#[derive(Debug)]
enum Last<T> {
    /// There was none.
    Nothing,
    /// The last value, and when the program last tried to read it.
    Value { value: Arc<T>, tried_at: Instant },
    /// There is no value, because the read failed.
    Failure { error: String, tried_at: Instant },
}

impl<T> Cached<T> {
    /// Makes a cache without a value.
    pub(crate) fn new() -> Self {
        Self { last: Mutex::new(Last::Nothing) }
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
        match &*last {
            Last::Value { value, tried_at } if tried_at.elapsed() < age => {
                return Ok(Arc::clone(value));
            }
            Last::Failure { error, tried_at } if tried_at.elapsed() < FAILED => {
                bail!("the last read failed: {error}");
            }
            _ => {}
        }
        let read = timeout(READ, read).await.map_err(|_| anyhow!("no answer within {READ:?}"));
        match (read.and_then(|read| read), &mut *last) {
            (Ok(value), _) => {
                let value = Arc::new(value);
                *last = Last::Value { value: Arc::clone(&value), tried_at: Instant::now() };
                Ok(value)
            }
            (Err(error), Last::Value { value, tried_at }) => {
                warn!(error = %format!("{error:#}"), "the old value stays in use");
                *tried_at = Instant::now();
                Ok(Arc::clone(value))
            }
            (Err(error), Last::Nothing | Last::Failure { .. }) => {
                let shown = format!("{error:#}");
                *last = Last::Failure { error: shown, tried_at: Instant::now() };
                Err(error).context("there is no older value")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the last read this much older.
    async fn age(cached: &Cached<i32>, by: Duration) {
        match &mut *cached.last.lock().await {
            Last::Nothing => panic!("nothing was read"),
            Last::Value { tried_at, .. } | Last::Failure { tried_at, .. } => {
                *tried_at = tried_at.checked_sub(by).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn value_is_read_again_when_it_is_old_and_survives_a_failed_read() {
        let cached = Cached::new();
        let fails = async || Err(anyhow!("away"));
        assert_eq!(*cached.get(async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(*cached.get(async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cached.get_again(async { Ok(2) }).await.unwrap(), 1);
        assert_eq!(*cached.younger_than(Duration::ZERO, async { Ok(2) }).await.unwrap(), 2);
        assert_eq!(*cached.younger_than(Duration::ZERO, fails()).await.unwrap(), 2);
        assert_eq!(*cached.get(async { Ok(3) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn failed_read_without_a_value_is_repeated_after_some_seconds() {
        let cached = Cached::new();
        assert!(cached.get(async { Err(anyhow!("away")) }).await.is_err());
        let mut reads = 0;
        for _ in 0..100 {
            let read = async {
                reads += 1;
                Ok(1)
            };
            let error = cached.get(read).await.unwrap_err();
            assert!(error.to_string().contains("away"), "{error}");
        }
        assert_eq!(reads, 0);
        age(&cached, FAILED).await;
        assert_eq!(*cached.get_again(async { Ok(1) }).await.unwrap(), 1);
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
