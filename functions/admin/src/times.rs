//! Durations and times in words.

use time::{Duration, OffsetDateTime};

/// Returns a time to the minute.
pub(crate) fn at(time: OffsetDateTime) -> String {
    let time = time.to_offset(time::UtcOffset::UTC);
    let (date, hour, minute) = (time.date(), time.hour(), time.minute());
    format!("{date} {hour:02}:{minute:02} UTC")
}

/// Returns how long ago something was.
pub(crate) fn ago(passed: Duration) -> String {
    if passed < Duration::seconds(60) {
        "just now".to_owned()
    } else {
        format!("{} ago", span(passed))
    }
}

/// Returns a duration in its largest unit.
pub(crate) fn span(time: Duration) -> String {
    let (minutes, hours, days) = (time.whole_minutes(), time.whole_hours(), time.whole_days());
    let (count, unit) = match () {
        () if minutes < 1 => (time.whole_seconds(), "second"),
        () if minutes < 60 => (minutes, "minute"),
        () if hours < 48 => (hours, "hour"),
        () if days < 60 => (days, "day"),
        () if days < 730 => (days / 30, "month"),
        () => (days / 365, "year"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_their_largest_unit() {
        for (seconds, words) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "1 hour ago"),
            (47 * 3_600, "47 hours ago"),
            (48 * 3_600, "2 days ago"),
            (75 * 86_400, "2 months ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(ago(Duration::seconds(seconds)), words);
        }
        assert_eq!(span(Duration::seconds(1)), "1 second");
    }
}
