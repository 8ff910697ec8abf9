//! The cursor as the rest of the program sees it, and the part of it that is stored beside the
//! lease.

use std::cmp::Ordering;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Entries;

/// What an instance remembers.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// Repository → list of tags.
    pub(crate) entries: Entries,
    /// Everything else.
    pub(crate) state: State,
}

/// What is stored beside the lease, as JSON. Times are the database's, in milliseconds since 1970:
/// no clock of a process is compared with another's.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// What the cursor is about: the registry's address and the name that its rows carry. Another
    /// one is another cursor.
    pub(crate) registry: String,
    /// `discovery_instances.generation` as it was. The database has a smaller one when an older
    /// backup was restored.
    pub(crate) generation: i64,
    /// When the last pass began.
    pub(crate) last_pass_at: Option<i64>,
    /// When the last pass began that came to its end and got at least one list, if there was one to
    /// get.
    pub(crate) last_whole_pass_at: Option<i64>,
    /// Up to when tags have been verified slot by slot.
    pub(crate) verified_until: Option<i64>,
    /// Nothing is known from before this moment: what was not looked at since is to be verified,
    /// all of it.
    pub(crate) verify_before: Option<i64>,
    /// Whether entries are missing: what vanished from the registry can then be told by the
    /// database only.
    pub(crate) is_incomplete: bool,
    /// The scan that was interrupted.
    pub(crate) scan: Option<Scan>,
}

/// How far a scan of the registry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scan {
    /// When it began.
    pub(crate) began_at: i64,
    /// Where it goes on.
    pub(crate) stage: Stage,
    /// As in the state when the scan began.
    pub(crate) verified_until: Option<i64>,
    /// As in the state when the scan began.
    pub(crate) verify_before: Option<i64>,
    /// Repositories that the catalog has listed so far.
    pub(crate) catalogued: u64,
    /// Whether something went wrong before.
    pub(crate) has_failed: bool,
}

/// The parts of a scan, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// The repositories that the instance names, behind the given one.
    Named { behind: Option<String> },
    /// Those of the catalog: the page with this query, and in it those behind the given one.
    Catalog { query: Option<String>, behind: Option<String> },
    /// Those that are known and were not listed, behind the given one.
    Vanished { behind: Option<String> },
}

/// Whether a cursor and a database belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// They do.
    Well,
    /// The cursor is older: it was not written after rows were.
    Behind,
    /// The cursor is newer: an older backup of the database was restored.
    Ahead,
}

impl Cursor {
    /// A cursor that knows nothing.
    pub(crate) fn new(registry: &str) -> Self {
        let state =
            State { registry: registry.to_owned(), is_incomplete: true, ..State::default() };
        Self { entries: Entries::default(), state }
    }

    /// The scan that was interrupted, or a new one.
    pub(crate) fn scan(&mut self, now: OffsetDateTime) -> Scan {
        self.state.scan.take().unwrap_or_else(|| {
            self.entries.begin_scan();
            let began_at = milliseconds(now);
            if self.state.verified_until.is_none() {
                self.state.verify_before.get_or_insert(began_at);
            }
            Scan {
                began_at,
                stage: Stage::Named { behind: None },
                verified_until: self.state.verified_until,
                verify_before: self.state.verify_before,
                catalogued: 0,
                has_failed: false,
            }
        })
    }

    /// Remembers the generation that a transaction of ours made, if it made one.
    ///
    /// # Errors
    /// When it is smaller than it was: the database has been replaced by an older one meanwhile.
    pub(crate) fn follow_generation(&mut self, generation: Option<i64>) -> anyhow::Result<()> {
        let Some(generation) = generation else { return Ok(()) };
        if generation <= self.state.generation {
            bail!(
                "the database went back in time while the registry was polled: was a backup \
                 restored?"
            );
        }
        self.state.generation = generation;
        Ok(())
    }

    /// Holds the cursor against the generation that the database has, and gives whether the two
    /// belong together.
    pub(crate) fn fit(&mut self, generation: i64) -> Fit {
        let fit = match generation.cmp(&self.state.generation) {
            Ordering::Equal => Fit::Well,
            // Rows were written and the cursor was not. Which ones cannot be told.
            Ordering::Greater => {
                self.entries.unsettle_all();
                self.state.is_incomplete = true;
                Fit::Behind
            }
            Ordering::Less => {
                *self = Self::new(&self.state.registry);
                Fit::Ahead
            }
        };
        self.state.generation = generation;
        fit
    }

    /// Ends a scan that cannot be gone on with.
    pub(crate) fn give_up(&mut self, scan: &Scan) {
        self.entries.begin_scan();
        // What could not be read could not be verified either: its next turn comes.
        if scan.verified_until.is_some() {
            self.state.verified_until = Some(scan.began_at);
        }
    }

    /// Ends a scan that came to its end.
    pub(crate) fn finish(&mut self, scan: &Scan) {
        self.entries.end_scan();
        self.state.verified_until = Some(scan.began_at);
        self.state.verify_before = None;
        self.state.is_incomplete = false;
        self.state.scan = None;
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
