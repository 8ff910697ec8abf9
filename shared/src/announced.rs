//! The time from the announcement of a change to its row.

use time::{Duration, OffsetDateTime};

use crate::metrics::{Metric, milliseconds};

/// An earlier time than this before the arrival is not that of the announcement: a sender may give
/// the age of the artifact, or have a wrong clock.
const EARLIEST: Duration = Duration::DAY;

/// When an event or a webhook announced a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// When it arrived here.
    pub received_at: OffsetDateTime,
    /// When the sender noticed the change, by its own clock.
    pub sent_at: Option<OffsetDateTime>,
}

impl Announced {
    /// Returns the sender's time, unless its clock is obviously wrong. Then it is the time of the
    /// arrival.
    fn at(self) -> OffsetDateTime {
        // A duration is compared, because the sender may give a year that no date can exceed.
        let is_possible = |sent_at: &OffsetDateTime| {
            let before = self.received_at.unix_timestamp() - sent_at.unix_timestamp();
            (0..=EARLIEST.whole_seconds()).contains(&before)
        };
        self.sent_at.filter(is_possible).unwrap_or(self.received_at)
    }

    /// Records how long the change took until its row was committed.
    pub fn measure(self, instance: &str, committed_at: OffsetDateTime) {
        let took = std::time::Duration::try_from(committed_at - self.at()).unwrap_or_default();
        Metric::HintToRow.record(instance, milliseconds(took));
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn time_of_the_sender_counts_unless_it_is_impossible() {
        let received_at = datetime!(2026-11-22 12:00 UTC);
        for (sent_at, expected) in [
            (None, received_at),
            (Some(datetime!(2026-11-22 11:59:58 UTC)), datetime!(2026-11-22 11:59:58 UTC)),
            (Some(datetime!(2026-11-21 12:00 UTC)), datetime!(2026-11-21 12:00 UTC)),
            (Some(datetime!(2026-11-21 11:59 UTC)), received_at),
            (Some(datetime!(2026-11-22 12:01 UTC)), received_at),
            (Some(datetime!(-9999-01-01 0:00 UTC)), received_at),
        ] {
            assert_eq!(Announced { received_at, sent_at }.at(), expected, "{sent_at:?}");
        }
    }
}
