//! Limits the requests to one registry: how many run at the same time, and none before the time
//! that `Retry-After` names.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// Successes after which one more request may run at the same time.
const SUCCESSES_PER_STEP: u32 = 20;

/// The time after which a waiter checks again whether a permit is free.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The pace of one registry, shared by all its clients.
#[derive(Debug)]
pub(super) struct Pace {
    state: Mutex<PaceState>,
    permit: Notify,
    first_permit: Notify,
    requests: AtomicU64,
    throttled: AtomicU64,
}

/// Counts the requests to a registry, and how often the registry throttled them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// The number of requests, with logins and redirects.
    pub requests: u64,
    /// The number of answers with 429, or with 503 and a `Retry-After`.
    pub throttled: u64,
}

/// The order in which waiting requests get a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oci) enum RequestPermit {
    /// Before all others, for a request that completes work. Without it, the next run would repeat
    /// that work.
    First,
    /// In order of arrival, for every other request.
    Usual,
}

#[derive(Debug)]
struct PaceState {
    running: usize,
    /// Number of waiters for [`RequestPermit::First`].
    first_waiting: usize,
    /// Number of requests that may run at the same time, from 1 to `most`.
    limit: usize,
    most: usize,
    successes: u32,
    /// The time before which no request may be sent.
    closed_until: Option<Instant>,
}

/// A waiter for [`RequestPermit::First`].
struct Waiting<'a>(&'a Pace);

/// The permit of a running request. Dropping it returns the permit.
pub(super) struct Slot<'a>(&'a Pace);

/// The registry accepts no request before the deadline.
#[derive(Debug)]
pub(super) struct Closed {
    /// The time before which it accepts none.
    pub(super) until: Instant,
}

enum Wait {
    Until(Instant),
    ForPermit,
}

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = PaceState {
            running: 0,
            first_waiting: 0,
            limit: most,
            most,
            successes: 0,
            closed_until: None,
        };
        let (permit, first_permit) = (Notify::new(), Notify::new());
        let (requests, throttled) = Default::default();
        Self { state: Mutex::new(state), permit, first_permit, requests, throttled }
    }

    /// Counts a request that is sent.
    pub(super) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts since the last call.
    pub(super) fn take_counts(&self) -> RequestCounts {
        RequestCounts {
            requests: self.requests.swap(0, Ordering::Relaxed),
            throttled: self.throttled.swap(0, Ordering::Relaxed),
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// [`Closed`] immediately if no permit is possible before the deadline.
    pub(super) async fn enter(
        &self,
        permit: RequestPermit,
        deadline: Option<Instant>,
    ) -> Result<Slot<'_>, Closed> {
        let waiting = (permit == RequestPermit::First).then(|| Waiting::new(self));
        loop {
            let wait = {
                let mut state = self.state();
                match state.closed_until {
                    Some(until) if until > Instant::now() => {
                        if deadline.is_some_and(|deadline| until >= deadline) {
                            return Err(Closed { until });
                        }
                        Wait::Until(until)
                    }
                    _ if state.running < state.limit
                        && (waiting.is_some() || state.first_waiting == 0) =>
                    {
                        state.running += 1;
                        return Ok(Slot(self));
                    }
                    _ => Wait::ForPermit,
                }
            };
            match wait {
                Wait::Until(until) => sleep_until(until).await,
                // The woken waiter may have been cancelled, so each waiter also checks again every
                // 250 ms.
                Wait::ForPermit => {
                    let permit = if waiting.is_some() { &self.first_permit } else { &self.permit };
                    let _ = timeout(LOOK_AGAIN, permit.notified()).await;
                }
            }
        }
    }

    /// Returns the time before which no request may be sent, if it is in the future.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        self.state().closed_until.filter(|until| *until > Instant::now())
    }

    /// Adjusts the pace to an answer. A throttled answer halves the limit. `Retry-After` stops
    /// requests until its time, but for at most `longest`.
    pub(super) fn learn(&self, status: StatusCode, headers: &HeaderMap, longest: Duration) {
        if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            if status.is_success() || status == StatusCode::NOT_FOUND {
                self.succeed();
            }
            return;
        }
        if status == StatusCode::TOO_MANY_REQUESTS || headers.contains_key(RETRY_AFTER) {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        let mut state = self.state();
        state.limit = (state.limit / 2).max(1);
        state.successes = 0;
        if let Some(wait) =
            headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?))
        {
            let until = Instant::now() + wait.min(longest);
            state.closed_until = state.closed_until.max(Some(until));
        }
    }

    /// Lets no request be sent before this time.
    pub(super) fn close_until(&self, until: Instant) {
        let mut state = self.state();
        state.closed_until = state.closed_until.max(Some(until));
    }

    fn succeed(&self) {
        let mut state = self.state();
        state.successes += 1;
        if state.successes >= SUCCESSES_PER_STEP && state.limit < state.most {
            state.successes = 0;
            state.limit += 1;
            drop(state);
            self.call();
        }
    }

    /// Wakes the next waiter.
    fn call(&self) {
        let is_first = self.state().first_waiting > 0;
        if is_first { self.first_permit.notify_one() } else { self.permit.notify_one() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, PaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Waiting<'a> {
    fn new(pace: &'a Pace) -> Self {
        pace.state().first_waiting += 1;
        Self(pace)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().first_waiting -= 1;
        // Usual requests wait while a first one waits, so this wakes the next of them.
        self.0.call();
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.call();
    }
}

/// Reads a `Retry-After` in seconds or as a date (RFC 9110, section 10.2.3). Returns `None` for any
/// other value.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    match value.trim().parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: Option<&str>) -> HeaderMap {
        value.map(|value| (RETRY_AFTER, value.parse().unwrap())).into_iter().collect()
    }

    /// Hostile input 31.
    #[tokio::test]
    async fn wait_is_clamped_to_the_longest_pause() {
        for (value, closed) in [
            (Some("999999999"), true),
            (Some("99999999999999999999999"), false),
            (Some("Tue, 31 Dec 2199 23:59:59 GMT"), true),
            (Some("Fri, 31 Dec 1999 23:59:59 GMT"), false),
            (Some("-5"), false),
            (Some("soon"), false),
            (None, false),
        ] {
            let pace = Pace::new(4);
            let longest = Duration::from_secs(20);
            pace.learn(StatusCode::TOO_MANY_REQUESTS, &headers(value), longest);
            let deadline = Instant::now() + Duration::from_secs(15);
            assert_eq!(
                pace.enter(RequestPermit::Usual, Some(deadline)).await.is_err(),
                closed,
                "{value:?}"
            );
            let latest = Instant::now() + longest;
            assert!(pace.closed_until().is_none_or(|until| until <= latest), "{value:?}");
            assert_eq!(pace.closed_until().is_some(), closed, "{value:?}");
        }
    }

    #[tokio::test]
    async fn completing_requests_get_their_permits_first() {
        let pace = Pace::new(1);
        let order = Mutex::new(Vec::new());
        let enter = async |permit| {
            let slot = pace.enter(permit, None).await;
            order.lock().unwrap().push(permit);
            tokio::task::yield_now().await;
            drop(slot);
        };
        let under_way = pace.enter(RequestPermit::Usual, None).await;
        let end = async {
            tokio::task::yield_now().await;
            drop(under_way);
        };
        tokio::join!(
            enter(RequestPermit::Usual),
            enter(RequestPermit::First),
            enter(RequestPermit::Usual),
            enter(RequestPermit::First),
            end
        );
        assert_eq!(
            *order.lock().unwrap(),
            [
                RequestPermit::First,
                RequestPermit::First,
                RequestPermit::Usual,
                RequestPermit::Usual
            ]
        );
        assert_eq!(pace.state().running, 0);
        assert_eq!(pace.state().first_waiting, 0);
    }

    #[tokio::test]
    async fn throttling_halves_the_pace_and_twenty_successes_raise_it_by_one() {
        let pace = Pace::new(8);
        let limit = || pace.state().limit;
        pace.learn(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), Duration::ZERO);
        assert_eq!(limit(), 4);
        for _ in 0..3 {
            pace.learn(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), Duration::ZERO);
        }
        assert_eq!(limit(), 1);
        for _ in 0..19 {
            pace.learn(StatusCode::OK, &HeaderMap::new(), Duration::ZERO);
        }
        assert_eq!(limit(), 1);
        pace.learn(StatusCode::OK, &HeaderMap::new(), Duration::ZERO);
        assert_eq!(limit(), 2);
        for _ in 0..1000 {
            pace.learn(StatusCode::OK, &HeaderMap::new(), Duration::ZERO);
        }
        assert_eq!(limit(), 8);
    }
}
