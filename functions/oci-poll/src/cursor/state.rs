//! The cursor as the rest of the program uses it, and the part of it that the lease's item holds.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use shared::db::NotedChange;
use shared::oci;
use time::{Duration as Interval, OffsetDateTime};

use super::{Entries, ListState, Scan};

/// The memory of `oci-poll` about an instance.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// The hash of each repository's tag list.
    pub(crate) entries: Entries,
    /// All the rest.
    pub(crate) state: CursorState,
}

/// The most by which a time that the registry named may exceed the longest `Retry-After`, because
/// two clocks measure it.
const CLOCK_DRIFT: Interval = Interval::minutes(1);

/// The most own generations that the cursor remembers behind one of another writer.
const OWN_MAX: usize = 1000;

/// The part of the cursor that the lease's item holds as JSON. Times are those of the database's
/// clock, in milliseconds since 1970, because the clocks of two processes may differ.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CursorState {
    /// The registry's address, and its name in the rows. If either changes, the cursor is dropped.
    pub(crate) registry: String,
    /// The value of `discovery_instances.generation` up to which the cursor knows every change. The
    /// database has a smaller one if an older backup was restored.
    pub(crate) generation: i64,
    /// Later generations of the poller's own transactions. Another writer made those in between.
    #[serde(default)]
    pub(crate) own_generations: BTreeSet<i64>,
    /// When the last pass began.
    pub(crate) last_pass_at: Option<i64>,
    /// When the last whole pass began. A pass without any list counts only if it had no error.
    pub(crate) last_whole_pass_at: Option<i64>,
    /// The moment up to which every slot was verified.
    pub(crate) verified_until: Option<i64>,
    /// Every tag without a look since this moment must be verified, because the cursor knows
    /// nothing from before it.
    pub(crate) verify_before: Option<i64>,
    /// Whether entries are missing. Only the database can then tell which repositories vanished.
    pub(crate) is_incomplete: bool,
    /// The time before which the registry wants no request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed_until: Option<i64>,
    /// The vendor's list of repositories.
    #[serde(default, skip_serializing_if = "ListState::is_unused")]
    pub(crate) list: ListState,
    /// The scan of the interrupted pass.
    pub(crate) scan: Option<Scan>,
}

/// Whether the cursor and the database have the same generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// They have.
    Well,
    /// Other writers changed this many repositories, and noted them.
    Noted(usize),
    /// The cursor is older: rows were written, and the cursor was not.
    Behind,
    /// The cursor is newer: an older backup of the database was restored.
    Ahead,
}

impl CursorState {
    /// Returns the time such that every reference was visited since: each listed repository, and
    /// each tag at its turn of verification, which comes within twice `verify_interval`.
    pub(crate) fn swept_until(&self, verify_interval: Duration) -> Option<OffsetDateTime> {
        let visited = self.last_whole_pass_at?.min(self.verified_until?);
        let sweep = Interval::try_from(verify_interval).ok()?.checked_mul(2)?;
        time_of(visited)?.checked_sub(sweep)
    }
}

impl Cursor {
    /// Creates an empty cursor.
    pub(crate) fn new(registry: &str) -> Self {
        let state = CursorState {
            registry: registry.to_owned(),
            is_incomplete: true,
            ..CursorState::default()
        };
        Self { entries: Entries::default(), state }
    }

    /// Forgets times in the future. The database's clock was ahead when it gave them, and without
    /// this nothing would be verified until they are past.
    pub(crate) fn forget_future(&mut self, now: OffsetDateTime) {
        let state = &mut self.state;
        let now = milliseconds(now);
        let is_past = |time: &i64| *time <= now;
        state.last_pass_at = state.last_pass_at.filter(is_past);
        state.last_whole_pass_at = state.last_whole_pass_at.filter(is_past);
        state.verified_until = state.verified_until.filter(is_past);
        state.verify_before = state.verify_before.map(|before| before.min(now));
        state.scan = state.scan.take().filter(|scan| {
            let times = [Some(scan.began_at), scan.verified_until, scan.verify_before];
            times.iter().flatten().all(is_past)
        });
    }

    /// Takes the interrupted scan out of the state, or begins a new one.
    pub(crate) fn scan(&mut self, now: OffsetDateTime) -> Scan {
        self.state.scan.take().unwrap_or_else(|| {
            self.entries.begin_scan();
            let began_at = milliseconds(now);
            if self.state.verified_until.is_none() {
                self.state.verify_before.get_or_insert(began_at);
            }
            let CursorState { verified_until, verify_before, .. } = self.state;
            Scan { verified_until, verify_before, ..Scan::new(began_at) }
        })
    }

    /// Remembers the generations after transactions of this pass that changed rows. If a generation
    /// is not the next one, another writer made a transaction in between.
    ///
    /// # Errors
    /// Fails if a generation did not rise, because an older backup was restored meanwhile.
    pub(crate) fn follow_generation(
        &mut self,
        generations: impl IntoIterator<Item = i64>,
    ) -> anyhow::Result<()> {
        for generation in generations {
            let CursorState { generation: known, own_generations, .. } = &mut self.state;
            if generation <= own_generations.last().copied().unwrap_or(*known) {
                bail!(
                    "the database went back in time while the registry was polled: was a backup \
                     restored?"
                );
            }
            if generation == *known + 1 {
                *known = generation;
            } else if own_generations.len() < OWN_MAX {
                own_generations.insert(generation);
            }
        }
        Ok(())
    }

    /// Compares the cursor with the generation of the database. `changes` are those after the
    /// cursor's generation. Forgets what can no longer be trusted.
    pub(crate) fn fit(&mut self, generation: i64, changes: &[NotedChange]) -> Fit {
        let fit = match generation.cmp(&self.state.generation) {
            Ordering::Equal => Fit::Well,
            Ordering::Greater => self.follow_others(generation, changes),
            Ordering::Less => {
                *self = Self::new(&self.state.registry);
                Fit::Ahead
            }
        };
        self.state.generation = generation;
        self.state.own_generations.clear();
        fit
    }

    /// Unsettles the repositories that other writers changed, or all if one of them left no note.
    fn follow_others(&mut self, generation: i64, changes: &[NotedChange]) -> Fit {
        let own = &self.state.own_generations;
        let of_others = || changes.iter().filter(|change| !own.contains(&change.generation));
        let noted: BTreeSet<i64> = changes.iter().map(|change| change.generation).collect();
        let is_known = |generation: i64| own.contains(&generation) || noted.contains(&generation);
        // The cursor does not know which rows were written.
        if !(self.state.generation + 1..=generation).all(is_known) {
            self.entries.unsettle_all();
            self.state.is_incomplete = true;
            return Fit::Behind;
        }
        let names: BTreeSet<&str> = of_others().map(|change| change.repository.as_str()).collect();
        for name in &names {
            if let Ok(repository) = name.parse() {
                self.entries.note(&repository);
            }
        }
        Fit::Noted(names.len())
    }

    /// Ends a scan that cannot be resumed.
    pub(crate) fn give_up(&mut self, scan: &Scan) {
        self.entries.begin_scan();
        // The tags whose turn it was were not verified. They have another turn after
        // `verifyInterval`.
        if scan.verified_until.is_some() {
            self.state.verified_until = Some(scan.began_at);
        }
    }

    /// Ends a scan whose stages were all visited.
    pub(crate) fn finish(&mut self, scan: &Scan) {
        if scan.is_unlisted() {
            self.entries.begin_scan();
        } else {
            self.entries.end_scan();
        }
        if !scan.has_unverified {
            self.state.verified_until = Some(scan.began_at);
            self.state.verify_before = None;
        }
        if scan.has_left {
            // The next pass begins at once.
            self.state.last_pass_at = None;
        }
        self.state.is_incomplete = false;
        self.state.scan = None;
    }
}

impl CursorState {
    /// Returns the time before which the registry wants no request. A time that no `Retry-After`
    /// could have named comes from a clock that was ahead.
    pub(crate) fn closed_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let until = self.closed_until.and_then(time_of)?;
        let latest = now + oci::CLOSED_MAX + CLOCK_DRIFT;
        (now < until && until <= latest).then_some(until)
    }
}

/// Returns the time that is this many milliseconds after 1970.
pub(crate) fn time_of(milliseconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}

/// Returns the milliseconds since 1970.
pub(crate) fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use shared::domain::Repository;

    use super::*;

    fn repository(name: &str) -> Repository {
        name.parse().unwrap()
    }

    fn noted(generation: i64, name: &str) -> NotedChange {
        NotedChange { generation, repository: name.to_owned() }
    }

    /// Returns a cursor of generation 7 that has settled two repositories.
    fn cursor() -> Cursor {
        let mut cursor = Cursor::new("https://ghcr.io");
        cursor.state.generation = 7;
        cursor.entries.settle(&repository("a"), 1, false);
        cursor.entries.settle(&repository("b"), 1, false);
        cursor
    }

    fn unsettled(cursor: &Cursor) -> Vec<&'static str> {
        let is_unsettled = |name: &&str| {
            cursor.entries.get(&repository(name)).is_none_or(|entry| entry.is_unsettled())
        };
        ["a", "b"].into_iter().filter(is_unsettled).collect()
    }

    /// Fault 49.
    #[test]
    fn changes_of_other_writers_unsettle_what_they_note_or_everything() {
        let a_and_b = vec!["a", "b"];
        for (name, own, database, changes, expected) in [
            ("nothing happened", vec![], 7, vec![], vec![]),
            ("own transactions", vec![8, 9], 9, vec![noted(8, "a"), noted(9, "b")], vec![]),
            ("another writer", vec![], 8, vec![noted(8, "a")], vec!["a"]),
            ("between our own", vec![8, 10], 10, vec![noted(9, "b"), noted(10, "a")], vec!["b"]),
            ("behind our own", vec![8], 9, vec![noted(9, "b")], vec!["b"]),
            ("without a note", vec![], 9, vec![noted(8, "a")], a_and_b.clone()),
            ("without a note between our own", vec![9], 9, vec![noted(9, "a")], a_and_b.clone()),
            ("restored backup", vec![], 6, vec![], a_and_b.clone()),
        ] {
            let mut cursor = cursor();
            cursor.follow_generation(own).unwrap();
            cursor.fit(database, &changes);
            assert_eq!(unsettled(&cursor), expected, "{name}");
            assert_eq!(cursor.state.generation, database, "{name}");
        }
    }

    #[test]
    fn times_in_the_future_are_forgotten() {
        let now = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        let (past, future) = (Some(milliseconds(now)), Some(milliseconds(now) + 1));
        let state = |time: Option<i64>| CursorState {
            last_pass_at: time,
            last_whole_pass_at: time,
            verified_until: time,
            scan: time.map(|began_at| Scan { verified_until: time, ..Scan::new(began_at) }),
            ..CursorState::default()
        };
        for (time, expected) in [(past, past), (future, None)] {
            let mut cursor = Cursor { state: state(time), ..Cursor::default() };
            cursor.forget_future(now);
            assert_eq!(cursor.state, state(expected), "{time:?}");
        }
        let mut cursor = Cursor::default();
        cursor.state.verify_before = future;
        cursor.forget_future(now);
        assert_eq!(cursor.state.verify_before, past);
    }

    #[test]
    fn registry_is_closed_for_an_hour_at_most() {
        let now = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        for (seconds, is_closed) in [(0, false), (1, true), (3600, true), (3700, false)] {
            let until = now + Interval::seconds(seconds);
            let closed_until = Some(milliseconds(until));
            let state = CursorState { closed_until, ..CursorState::default() };
            assert_eq!(state.closed_until(now), is_closed.then_some(until), "{seconds}");
        }
    }

    #[test]
    fn generation_that_does_not_rise_is_an_error() {
        let mut cursor = cursor();
        cursor.follow_generation([8, 10]).unwrap();
        assert!(cursor.follow_generation([10]).is_err());
        assert!(cursor.follow_generation([3]).is_err());
    }
}
