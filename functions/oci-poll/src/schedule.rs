//! Decides when passes begin. The schedule invokes the function every minute, and an instance may
//! ask for more or fewer passes than that.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

/// How long an invocation begins passes: until the schedule starts the next invocation.
const INVOCATION: Duration = Duration::from_mins(1);

/// The longest wait for a pass that is not due yet. A later pass is left to the next invocation.
const SLACK: Duration = Duration::from_secs(5);

/// The reserve for a pass that takes longer than the last one. The invocation would otherwise
/// interrupt it.
const MARGIN: Duration = Duration::from_secs(1);

/// The reason for a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The schedule. The interval decides whether a pass is due.
    BySchedule,
    /// A person, who asks for one pass at once.
    Now,
}

/// When the first pass of an invocation begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// The pass begins after this time.
    After(Duration),
    /// No pass begins in this invocation.
    NotDue,
}

/// Decides when the first pass of an invocation begins. An interval of a minute or more applies
/// across invocations. With a shorter one, every invocation begins a pass at once.
pub(crate) fn first(
    interval: Duration,
    last_pass_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> First {
    let Some(last) = last_pass_at.filter(|last| interval >= INVOCATION && *last <= now) else {
        return First::After(Duration::ZERO);
    };
    let left = interval.saturating_sub((now - last).unsigned_abs());
    if left > SLACK { First::NotDue } else { First::After(left) }
}

/// Returns when the next pass begins, or `None` if this invocation has no time for it.
///
/// It begins a whole number of intervals after the last one began. A slow pass is therefore not
/// followed by several passes without a pause.
pub(crate) fn next(
    interval: Duration,
    began: Instant,
    last: Instant,
    now: Instant,
    end: Instant,
) -> Option<Instant> {
    let intervals = (now - last).as_nanos().div_ceil(interval.as_nanos().max(1)).max(1);
    let wait = interval.checked_mul(u32::try_from(intervals).ok()?)?;
    let next = last.checked_add(wait)?;
    let has_time = next + (now - last) + MARGIN < end;
    (interval < INVOCATION && next < began + INVOCATION && has_time).then_some(next)
}

/// Returns when a pass begins that continues the work of the last one, or `None` if this invocation
/// has no time for it.
pub(crate) fn at_once(now: Instant, end: Instant) -> Option<Instant> {
    (now + MARGIN < end).then_some(now)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn interval_of_a_minute_or_more_applies_across_invocations() {
        let now = datetime!(2026-11-22 12:00 UTC);
        let ago = |seconds: i64| Some(now - time::Duration::seconds(seconds));
        for (interval, last, expected) in [
            (S(5), ago(1), First::After(S(0))),
            (S(59), ago(1), First::After(S(0))),
            (S(60), None, First::After(S(0))),
            (S(60), ago(60), First::After(S(0))),
            (S(60), ago(58), First::After(S(2))),
            (S(60), ago(54), First::NotDue),
            (S(3600), ago(1800), First::NotDue),
            (S(3600), ago(3700), First::After(S(0))),
            (S(3600), ago(-300), First::After(S(0))),
        ] {
            assert_eq!(first(interval, last, now), expected, "{interval:?} {last:?}");
        }
    }

    #[test]
    fn shorter_interval_repeats_passes_without_bursts() {
        let began = Instant::now();
        let end = began + S(300);
        let at = |interval, last, now| {
            next(interval, began, began + last, began + now, end).map(|next| next - began)
        };
        for (interval, last, now, expected) in [
            (S(5), S(0), S(1), Some(S(5))),
            (S(5), S(10), S(27), Some(S(30))),
            (S(5), S(10), S(30), Some(S(30))),
            (S(5), S(55), S(56), None),
            (S(50), S(0), S(1), Some(S(50))),
            (S(60), S(0), S(1), None),
            (Duration::from_nanos(1), S(0), S(30), None),
        ] {
            assert_eq!(at(interval, last, now), expected, "{interval:?} {last:?} {now:?}");
        }
        assert_eq!(next(S(5), began, began, began + S(2), began + S(8)), None, "no time for it");
        assert_eq!(next(S(5), began, began, began + S(2), began + S(9)), Some(began + S(5)));
    }
}
