//! Shares the time of an invocation among repositories, so that one that hangs does not keep the
//! others waiting.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::scope::Scope;
use crate::domain::Repository;

/// The requests without an answer in time after which a repository gets no more requests.
const UNANSWERED_MAX: u32 = 2;

/// The smallest share of the whole time that is worth a time limit: one in this many. A request
/// that begins later may take all that is left.
const SHARE_MIN: u32 = 5;

/// The time of one invocation, and the repositories that hang in it.
#[derive(Debug)]
pub(super) struct TimeSharing {
    whole: Duration,
    deadline: Instant,
    /// The number of requests without an answer in time, by repository.
    unanswered: Mutex<HashMap<Repository, u32>>,
}

impl TimeSharing {
    /// Shares the time from `now` until `deadline`.
    pub(super) fn new(now: Instant, deadline: Instant) -> Self {
        let whole = deadline.saturating_duration_since(now);
        Self { whole, deadline, unanswered: Mutex::default() }
    }

    /// Returns the time for something that begins now: half of what is left. Returns `None` if that
    /// is so little that running out of it says nothing about the registry.
    pub(super) fn share(&self, now: Instant) -> Option<Duration> {
        let half = self.deadline.saturating_duration_since(now) / 2;
        (half >= self.whole / SHARE_MIN).then_some(half)
    }

    /// Counts a request that got no answer in time.
    pub(super) fn note_unanswered(&self, scope: Scope<'_>) {
        if let Scope::Repository(repository) = scope {
            let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            *unanswered.entry(repository.clone()).or_default() += 1;
        }
    }

    /// Returns the repository of a request if it gets no more requests.
    pub(super) fn stalled<'a>(&self, scope: Scope<'a>) -> Option<&'a Repository> {
        let Scope::Repository(repository) = scope else { return None };
        let unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let count = unanswered.get(repository).copied().unwrap_or_default();
        (count >= UNANSWERED_MAX).then_some(repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn request_gets_half_of_the_time_that_is_left() {
        let began = Instant::now();
        let sharing = TimeSharing::new(began, began + S(60));
        for (after, share) in
            [(0, Some(30)), (20, Some(20)), (30, Some(15)), (36, Some(12)), (37, None), (70, None)]
        {
            assert_eq!(sharing.share(began + S(after)), share.map(S), "{after}");
        }
    }

    #[test]
    fn repository_stalls_at_the_second_request_without_an_answer() {
        let sharing = TimeSharing::new(Instant::now(), Instant::now());
        let (a, b): (Repository, Repository) = ("a".parse().unwrap(), "b".parse().unwrap());
        let stalled = |repository| sharing.stalled(Scope::Repository(repository)).is_some();
        sharing.note_unanswered(Scope::Repository(&a));
        sharing.note_unanswered(Scope::Repository(&b));
        sharing.note_unanswered(Scope::Catalog);
        assert!(!stalled(&a));
        sharing.note_unanswered(Scope::Repository(&a));
        assert!(stalled(&a) && !stalled(&b) && sharing.stalled(Scope::Catalog).is_none());
    }
}
