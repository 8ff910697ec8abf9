//! Times that a chart or an event claims.

use time::{OffsetDateTime, UtcOffset};

/// A time from 1970 until the moment at which it was checked.
///
/// A chart and an event may claim any other time. Such a time never reaches a row, because not
/// every program can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PastTime(OffsetDateTime);

impl PastTime {
    /// Returns the time in UTC. Returns `None` if it is before 1970 or after `now`.
    #[must_use]
    pub fn new(time: OffsetDateTime, now: OffsetDateTime) -> Option<Self> {
        // In UTC the time may have a year that the type cannot hold, so numbers are compared.
        let possible = 0..=now.unix_timestamp_nanos();
        possible
            .contains(&time.unix_timestamp_nanos())
            .then(|| Self(time.to_offset(UtcOffset::UTC)))
    }

    /// Returns the time in UTC.
    #[must_use]
    pub fn utc(self) -> OffsetDateTime {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[test]
    fn only_times_from_1970_until_now_are_taken() {
        let read = |text| OffsetDateTime::parse(text, &Rfc3339).unwrap();
        let now = read("2026-11-22T12:00:00Z");
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("2026-11-22T13:00:00+01:00", Some(now.unix_timestamp())),
            ("1969-12-31T23:59:59.999Z", None),
            ("2026-11-22T12:00:00.001Z", None),
            ("0000-01-01T00:00:00+23:59", None),
            ("9999-12-31T23:59:59-23:59", None),
        ] {
            let taken = PastTime::new(read(text), now).map(|time| time.utc().unix_timestamp());
            assert_eq!(taken, expected, "{text}");
        }
    }
}
