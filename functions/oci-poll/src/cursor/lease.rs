//! The lease: one process at a time follows an instance. Every write of the cursor is conditional
//! on the counter that the holder wrote last, so a holder that was paused and superseded cannot
//! write.
//!
//! No clock is compared with another's closely. A lease whose counter does not move for
//! [`DURATION`] while we watch has lost its holder; one that has run out by more than any two
//! clocks differ has, too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, warn};

use super::state::Cursor;
use super::table::{Stored, Table, Write, Written};

/// How long a lease lasts that is not renewed.
const DURATION: Duration = Duration::from_secs(15);

/// How long after its last write a lease is renewed: it survives one renewal that fails.
const RENEW_AFTER: Duration = Duration::from_secs(6);

/// How long somebody else's lease is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time between two looks at somebody else's lease.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How often a write is made that finds another one of ours.
const ATTEMPTS: usize = 3;

/// How far two clocks may differ.
const CLOCK_SKEW: Duration = Duration::from_mins(10);

/// The right to follow an instance.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    table: &'a Table,
    instance: &'a str,
    owner: &'a str,
    /// Held while a write is under way: each builds on the one before.
    writing: Mutex<()>,
    counter: AtomicU64,
    written_at: std::sync::Mutex<Instant>,
}

/// What came of wanting a lease.
#[derive(Debug)]
pub(crate) enum Acquired<'a> {
    /// We hold it. The cursor is as it was left, or a new one.
    Lease(Lease<'a>, Box<Cursor>),
    /// Somebody else does.
    HeldBy(String),
}

/// A cursor that this process keeps from its last invocation, with the counter that proves nobody
/// else wrote since.
#[derive(Debug)]
pub(crate) struct Warm {
    counter: u64,
    cursor: Cursor,
}

/// Waits for the lease until `deadline`, or for 20 s. `registry` is what the cursor must be about.
///
/// # Errors
/// When the table cannot be read or written. The cursor is then left as it is.
pub(crate) async fn acquire<'a>(
    table: &'a Table,
    instance: &'a str,
    owner: &'a str,
    registry: &str,
    warm: Option<Warm>,
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
        // Somebody was faster: he holds it now.
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

/// Whether nobody holds a lease. `watched` is a counter that was seen before, and since when.
fn is_free(stored: &Stored, watched: Option<&(AttributeValue, Instant)>) -> bool {
    let Some(counter) = &stored.counter else { return true };
    let is_still =
        watched.is_some_and(|(seen, since)| seen == counter && since.elapsed() >= DURATION);
    let ran_out =
        stored.held_until.saturating_add(i64::try_from(CLOCK_SKEW.as_millis()).unwrap_or_default());
    !stored.is_held || is_still || ran_out < milliseconds_now(Duration::ZERO)
}

async fn load(table: &Table, instance: &str, stored: Stored) -> anyhow::Result<Cursor> {
    let Some(state) = stored.state else { return Ok(Cursor::new("")) };
    let mut cursor = Cursor { state, ..Cursor::default() };
    let is_whole = table.read_entries(instance, &mut cursor.entries).await?;
    cursor.state.is_incomplete |= !is_whole;
    Ok(cursor)
}

fn counter_of(stored: &Stored) -> Option<u64> {
    stored.counter.as_ref()?.as_n().ok()?.parse().ok()
}

impl Lease<'_> {
    /// Writes what has changed of the cursor, if anything but its position has.
    ///
    /// # Errors
    /// When the lease is lost, or the table cannot be written.
    pub(crate) async fn save(&self, cursor: &mut Cursor) -> anyhow::Result<()> {
        let items = cursor.entries.changed();
        if items.is_empty() {
            return Ok(());
        }
        self.write(Some(cursor), &items, true).await?;
        cursor.entries.mark_stored(&items);
        Ok(())
    }

    /// Writes the cursor and gives the lease back. What is returned proves to a later invocation of
    /// this process that nobody else wrote in between.
    ///
    /// # Errors
    /// As [`Lease::save`].
    pub(crate) async fn release(self, mut cursor: Cursor) -> anyhow::Result<Warm> {
        let items = cursor.entries.changed();
        self.write(Some(&cursor), &items, false).await?;
        cursor.entries.mark_stored(&items);
        Ok(Warm { counter: self.counter.load(Ordering::SeqCst), cursor })
    }

    /// Gives the lease back and leaves the cursor as it is stored: for when its copy here may be
    /// wrong.
    ///
    /// # Errors
    /// As [`Lease::save`].
    pub(crate) async fn abandon(self) -> anyhow::Result<()> {
        self.write(None, &[], false).await
    }

    /// Renews the lease for as long as it is polled, and ends when it is lost.
    pub(crate) async fn keep(&self) -> anyhow::Error {
        loop {
            let written_at =
                *self.written_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let due = written_at + RENEW_AFTER;
            if due > Instant::now() {
                sleep_until(due).await;
                continue;
            }
            match self.write(None, &[], true).await {
                Ok(()) => {}
                Err(error) if written_at.elapsed() < DURATION && !error.is::<Lost>() => {
                    warn!("the lease was not renewed and is tried again: {error:#}");
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) => return error,
            }
        }
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

    /// Whether the counter was the one expected, or another one of ours. The answer to a write may
    /// get lost, and its repetition then finds the first one: that is read back. And a renewal that
    /// was given up may have been made.
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
            let write = Write {
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
                Written::Done => true,
                Written::Conflict => {
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

/// Somebody else has taken the lease.
#[derive(Debug, thiserror::Error)]
#[error("the lease was lost to {holder}: this invocation was paused for too long")]
struct Lost {
    holder: String,
}

fn milliseconds_now(plus: Duration) -> i64 {
    let since =
        (SystemTime::now() + plus).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
