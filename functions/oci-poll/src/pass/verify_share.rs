//! Decides which tags a pass verifies. Each pass verifies a share of the tags, so that every tag
//! has its turn within `verifyInterval`.

use std::time::Duration;

use shared::domain::{Repository, Tag};

use crate::cursor::{Scan, hash};

/// The outdated contents that every pass may read again, however short it is after the last one.
const RENEWALS_MIN: usize = 8;

/// The most outdated contents that one pass reads again.
const RENEWALS_MAX: usize = 512;

/// The share of the tags that a pass verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyShare {
    /// All tags, because it is not known when they were verified, or because every slot has passed.
    All,
    /// The tags whose slot is one of the `count` slots that start at `first`, out of `slots`.
    Slots { first: i64, count: i64, slots: i64 },
}

impl VerifyShare {
    /// The share without any tag.
    pub(crate) const NONE: Self = Self::Slots { first: 0, count: 0, slots: 1 };

    /// Returns the slots that have passed since the last pass that verified its share.
    pub(crate) fn of(scan: &Scan, poll_interval: Duration, verify_interval: Duration) -> Self {
        let (Some(verified_until), None) = (scan.verified_until, scan.verify_before) else {
            return Self::All;
        };
        let length = milliseconds(poll_interval).max(1);
        let slots = (milliseconds(verify_interval) / length).max(1);
        let (before, now) = (verified_until.div_euclid(length), scan.began_at.div_euclid(length));
        if now - before >= slots {
            return Self::All;
        }
        Self::Slots { first: before + 1, count: now - before, slots }
    }

    /// Returns whether the share includes the first slot, so that a check which every interval
    /// needs once is due.
    pub(crate) fn has_first(self) -> bool {
        match self {
            Self::All => true,
            Self::Slots { first, count, slots } => (-first).rem_euclid(slots) < count,
        }
    }

    /// Returns whether the share includes a tag.
    pub(crate) fn has(self, repository: &Repository, tag: &Tag) -> bool {
        self.has_words(repository.as_str(), tag.as_str())
    }

    /// Returns whether a repository has its turn, with all its tags.
    pub(crate) fn has_repository(self, repository: &Repository) -> bool {
        self.has_words(repository.as_str(), "")
    }

    fn has_words(self, repository: &str, tag: &str) -> bool {
        match self {
            Self::All => true,
            Self::Slots { count: ..=0, .. } => false,
            Self::Slots { first, count, slots } => {
                let hash = hash([repository, tag].into_iter());
                let slot = i64::try_from(hash % slots.unsigned_abs()).unwrap_or_default();
                (slot - first).rem_euclid(slots) < count
            }
        }
    }
}

/// Returns the moment since which an observation is recent enough to need no verification. A tag is
/// therefore first verified one to two intervals after it was first seen.
pub(crate) fn seen_since(scan: &Scan, verify_interval: Duration) -> i64 {
    scan.verify_before
        .unwrap_or_else(|| scan.began_at.saturating_sub(milliseconds(verify_interval)))
}

/// Returns how many outdated contents a pass may read again: about one for each second since the
/// last pass, so that an update of the program does not flood the registry.
pub(crate) fn renewals(verified_until: Option<i64>, began_at: i64) -> usize {
    let since = verified_until.map_or(0, |before| began_at.saturating_sub(before) / 1000);
    usize::try_from(since).unwrap_or_default().clamp(RENEWALS_MIN, RENEWALS_MAX)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(verified_until: Option<i64>, began_at: i64) -> Scan {
        let verify_before = if verified_until.is_none() { Some(began_at) } else { None };
        Scan { verified_until, verify_before, ..Scan::new(began_at) }
    }

    fn times(scans: impl Iterator<Item = Scan>, poll: Duration, verify: Duration) -> Vec<usize> {
        let mut times = vec![0; 200];
        let repository: Repository = "team/chart".parse().unwrap();
        for scan in scans {
            let share = VerifyShare::of(&scan, poll, verify);
            for (n, times) in times.iter_mut().enumerate() {
                *times += usize::from(share.has(&repository, &format!("1.{n}.0").parse().unwrap()));
            }
        }
        times
    }

    #[test]
    fn every_tag_is_verified_once_within_the_interval() {
        let (poll, verify) = (Duration::from_secs(5), Duration::from_mins(10));
        for starts in [
            (0..=600).step_by(5).collect::<Vec<i64>>(),
            vec![0, 3, 4, 61, 62, 63, 300, 301, 599, 600],
            vec![0, 600],
            vec![0, 123_000, 123_600],
        ] {
            let starts: Vec<i64> =
                starts.iter().map(|second| 1_000_003_000 + second * 1000).collect();
            let scans = starts.windows(2).map(|pair| scan(Some(pair[0]), pair[1]));
            let expected = starts
                .windows(2)
                .map(|pair| (pair[1] / 5000 - pair[0] / 5000).min(120))
                .sum::<i64>()
                / 120;
            let times = times(scans, poll, verify);
            assert!(
                times.iter().all(|times| i64::try_from(*times) == Ok(expected)),
                "{starts:?} {times:?}"
            );
        }
    }

    #[test]
    fn new_cursor_verifies_every_tag_and_the_next_pass_none() {
        let (poll, verify) = (Duration::from_secs(5), Duration::from_mins(10));
        assert_eq!(VerifyShare::of(&scan(None, 7_000), poll, verify), VerifyShare::All);
        let after = VerifyShare::of(&scan(Some(7_000), 7_500), poll, verify);
        assert!(matches!(after, VerifyShare::Slots { count: 0, .. }), "{after:?}");
    }

    #[test]
    fn outdated_contents_are_read_again_at_one_per_second() {
        assert_eq!(renewals(None, 9_000_000), 8);
        assert_eq!(renewals(Some(60_000), 65_000), 8);
        assert_eq!(renewals(Some(60_000), 120_000), 60);
        assert_eq!(renewals(Some(60_000), 3_660_000), 512);
    }

    #[test]
    fn recent_observation_needs_no_verification() {
        let verify = Duration::from_secs(10);
        assert_eq!(seen_since(&scan(Some(1), 60_000), verify), 50_000);
        assert_eq!(seen_since(&scan(None, 60_000), verify), 60_000);
    }
}
