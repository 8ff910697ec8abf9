//! The lease: one invocation at a time may write the cursor of an instance. Every write requires
//! the counter that the holder wrote last. A holder that was paused and has lost the lease
//! therefore cannot write.
//!
//! The clocks of two processes may differ. A lease is free if its counter stays the same for
//! [`DURATION`] while this process watches it. It is also free if it ran out longer ago than
//! [`CLOCK_SKEW`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, warn};

use super::packed::{PackedItem, chunks_of};
use super::state::Cursor;
use super::table::{LeaseWrite, LeaseWritten, StoredLease, Table};

/// How long a lease lasts without a renewal.
const DURATION: Duration = Duration::from_secs(15);

/// The time between a write of the lease and its renewal. The lease survives one failed renewal.
const RENEW_AFTER: Duration = Duration::from_secs(6);

/// The longest wait for a lease that another process holds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time between two reads of a lease that another process holds.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The most attempts of a write that finds an earlier write of this process.
const ATTEMPTS: usize = 3;

/// The most by which two clocks may differ.
const CLOCK_SKEW: Duration = Duration::from_mins(10);

/// The right to write the cursor of an instance.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    table: &'a Table,
    instance: &'a str,
    owner: &'a str,
    /// Locked during a write, because each write requires the counter of the one before.
    writing: Mutex<()>,
    counter: AtomicU64,
    written_at: std::sync::Mutex<Instant>,
}

/// The result of an attempt to take a lease.
#[derive(Debug)]
pub(crate) enum Acquired<'a> {
    /// This process holds the lease. The cursor is the stored one, or a new one.
    Lease(Lease<'a>, Box<Cursor>),
    /// Another process holds the lease.
    HeldBy(String),
}

/// A cursor in memory from the last invocation of this process. The counter proves that no other
/// process has written since.
#[derive(Debug)]
pub(crate) struct WarmCursor {
    counter: u64,
    cursor: Cursor,
}

/// Waits for the lease until `deadline`, but at most for 20 s. A cursor that does not belong to
/// `registry` is replaced by a new one.
///
/// # Errors
/// Fails if the table cannot be read or written. The stored cursor then stays as it is.
pub(crate) async fn acquire<'a>(
    table: &'a Table,
    instance: &'a str,
    owner: &'a str,
    registry: &str,
    warm: Option<WarmCursor>,
    deadline: Instant,
) -> anyhow::Result<Acquired<'a>> {
    let give_up_at = deadline.min(Instant::now() + PATIENCE);
    let mut watched: Option<(AttributeValue, Instant)> = None;
    let mut holder = None;
    let stored = loop {
        let stored = match (timeout_at(give_up_at, table.read_lease(instance)).await, holder) {
            (Ok(stored), _) => stored?,
            (Err(_), Some(holder)) => return Ok(Acquired::HeldBy(holder)),
            (Err(_), None) => bail!("there was no time to read the cursor"),
        };
        if is_free(&stored, watched.as_ref()) {
            break stored;
        }
        let pause_until = Instant::now() + LOOK_AGAIN;
        if pause_until >= give_up_at {
            return Ok(Acquired::HeldBy(stored.owner));
        }
        holder = Some(stored.owner);
        if let Some(counter) = stored.counter
            && watched.as_ref().is_none_or(|(seen, _)| *seen != counter)
        {
            watched = Some((counter, Instant::now()));
        }
        sleep_until(pause_until).await;
    };
    let before = counter_of(&stored);
    let lease = Lease {
        table,
        instance,
        owner,
        writing: Mutex::new(()),
        counter: AtomicU64::new(before.unwrap_or_default()),
        written_at: std::sync::Mutex::new(Instant::now()),
    };
    if !lease.try_write(stored.counter.clone(), None, &[], true).await? {
        // Another process took the lease first.
        return Box::pin(acquire(table, instance, owner, registry, warm, deadline)).await;
    }
    let cursor = match warm {
        Some(warm) if stored.owner == owner && before == Some(warm.counter) => warm.cursor,
        _ => match load(table, instance, stored).await {
            Ok(cursor) => cursor,
            Err(error) => {
                lease.abandon().await.ok();
                return Err(error);
            }
        },
    };
    let cursor = if cursor.state.registry == registry { cursor } else { Cursor::new(registry) };
    Ok(Acquired::Lease(lease, Box::new(cursor)))
}

/// Returns whether a lease is free. `watched` is the counter that was read before, and since when
/// it has been the same.
fn is_free(stored: &StoredLease, watched: Option<&(AttributeValue, Instant)>) -> bool {
    let Some(counter) = &stored.counter else { return true };
    let is_still =
        watched.is_some_and(|(seen, since)| seen == counter && since.elapsed() >= DURATION);
    let ran_out =
        stored.held_until.saturating_add(i64::try_from(CLOCK_SKEW.as_millis()).unwrap_or_default());
    !stored.is_held || is_still || ran_out < milliseconds_now(Duration::ZERO)
}

async fn load(table: &Table, instance: &str, stored: StoredLease) -> anyhow::Result<Cursor> {
    let Some(state) = stored.state else { return Ok(Cursor::new("")) };
    let mut cursor = Cursor { state, ..Cursor::default() };
    let is_whole = table.read_entries(instance, &mut cursor.entries).await?;
    cursor.state.is_incomplete |= !is_whole;
    Ok(cursor)
}

fn counter_of(stored: &StoredLease) -> Option<u64> {
    stored.counter.as_ref()?.as_n().ok()?.parse().ok()
}

impl Lease<'_> {
    /// Writes the cursor if any entry has changed.
    ///
    /// # Errors
    /// Fails if the lease is lost, or if the table cannot be written.
    pub(crate) async fn save(&self, cursor: &mut Cursor) -> anyhow::Result<()> {
        let items = cursor.entries.changed();
        if items.is_empty() {
            return Ok(());
        }
        self.write_cursor(cursor, items, true).await
    }

    /// Writes the cursor and gives the lease back. Returns the cursor for the next invocation of
    /// this process.
    ///
    /// # Errors
    /// Fails as [`Lease::save`].
    pub(crate) async fn release(self, mut cursor: Cursor) -> anyhow::Result<WarmCursor> {
        let items = cursor.entries.changed();
        self.write_cursor(&mut cursor, items, false).await?;
        Ok(WarmCursor { counter: self.counter.load(Ordering::SeqCst), cursor })
    }

    /// Gives the lease back without writing the cursor, because its copy in memory may be wrong.
    ///
    /// # Errors
    /// Fails as [`Lease::save`].
    pub(crate) async fn abandon(self) -> anyhow::Result<()> {
        self.write(None, &[], false).await
    }

    /// Renews the lease until it is lost, and returns the error then. It is lost too when it was
    /// not renewed in time, because another process may take it then.
    pub(crate) async fn keep(&self) -> anyhow::Error {
        loop {
            let written_at = self.written_at();
            let due = written_at + RENEW_AFTER;
            if due > Instant::now() {
                sleep_until(due).await;
                continue;
            }
            match timeout_at(written_at + DURATION, self.write(None, &[], true)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if written_at.elapsed() < DURATION && !error.is::<Lost>() => {
                    warn!("the lease was not renewed and is tried again: {error:#}");
                    sleep(LOOK_AGAIN).await;
                }
                Ok(Err(error)) => return error,
                // Another write of this process may have renewed it meanwhile.
                Err(_) if self.written_at() > written_at => {}
                Err(_) => return anyhow::Error::new(NotRenewed),
            }
        }
    }

    /// Returns when the last write that DynamoDB accepted began.
    fn written_at(&self) -> Instant {
        *self.written_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Writes items in chunks that DynamoDB takes, and the state with the last one. If the process
    /// ends before that, the stored generation is the old one, so that no entry is trusted.
    async fn write_cursor(
        &self,
        cursor: &mut Cursor,
        items: Vec<PackedItem>,
        is_held: bool,
    ) -> anyhow::Result<()> {
        let mut chunks = chunks_of(items);
        let last = chunks.pop().unwrap_or_default();
        for chunk in chunks {
            self.write(None, &chunk, true).await?;
            cursor.entries.mark_stored(&chunk);
        }
        self.write(Some(cursor), &last, is_held).await?;
        cursor.entries.mark_stored(&last);
        Ok(())
    }

    async fn write(
        &self,
        cursor: Option<&Cursor>,
        items: &[(usize, Vec<u8>)],
        is_held: bool,
    ) -> anyhow::Result<()> {
        let _writing = self.writing.lock().await;
        let expected = AttributeValue::N(self.counter.load(Ordering::SeqCst).to_string());
        if self.try_write(Some(expected), cursor, items, is_held).await? {
            return Ok(());
        }
        let holder = self.table.read_lease(self.instance).await?.owner;
        bail!(Lost { holder })
    }

    /// Writes the lease. Returns whether the counter was the expected one, or that of an earlier
    /// write of this process.
    ///
    /// The answer to a write may get lost. Its repetition then finds the counter of the first
    /// attempt, so that the lease is read again to tell. A renewal that was cancelled may also have
    /// been made.
    async fn try_write(
        &self,
        expected: Option<AttributeValue>,
        cursor: Option<&Cursor>,
        items: &[(usize, Vec<u8>)],
        is_held: bool,
    ) -> anyhow::Result<bool> {
        let state = cursor.map(|cursor| serde_json::to_string(&cursor.state)).transpose();
        let state = state.context("the cursor cannot be written as JSON")?;
        let mut expected = expected;
        for _ in 0..ATTEMPTS {
            let counter = self.counter.load(Ordering::SeqCst) + 1;
            let begun_at = Instant::now();
            let write = LeaseWrite {
                instance: self.instance,
                expected: expected.clone(),
                counter,
                owner: self.owner,
                id: &format!("{:016x}", fastrand::u64(..)),
                is_held,
                held_until: milliseconds_now(if is_held { DURATION } else { Duration::ZERO }),
                state: state.clone(),
                items,
            };
            let is_written = match self.table.write(&write).await? {
                LeaseWritten::Done => true,
                LeaseWritten::Conflict => {
                    let stored = self.table.read_lease(self.instance).await?;
                    if stored.owner != self.owner {
                        return Ok(false);
                    }
                    if let Some(counter) =
                        counter_of(&stored).filter(|_| stored.write_id != write.id)
                    {
                        self.counter.store(counter, Ordering::SeqCst);
                    }
                    expected = stored.counter;
                    stored.write_id == write.id
                }
            };
            if is_written {
                self.counter.store(counter, Ordering::SeqCst);
                *self.written_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                    begun_at;
                return Ok(true);
            }
            debug!(self.instance, "an earlier write of the lease was made after all");
        }
        Ok(false)
    }
}

/// The error about a lease that another process has taken.
#[derive(Debug, thiserror::Error)]
#[error("the lease was lost to {holder}: this invocation was paused for too long")]
struct Lost {
    holder: String,
}

/// The error about a lease that could not be renewed before it ended.
#[derive(Debug, thiserror::Error)]
#[error(
    "the lease could not be renewed for {} s, because DynamoDB does not answer (CURSOR_TABLE)",
    DURATION.as_secs()
)]
struct NotRenewed;

fn milliseconds_now(plus: Duration) -> i64 {
    let since =
        (SystemTime::now() + plus).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
