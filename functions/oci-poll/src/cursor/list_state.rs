//! What the cursor remembers about the vendor's list of repositories. Times are those of the
//! database's clock, in milliseconds since 1970.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the cursor remembers about the vendor's list of repositories.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListState {
    /// When the last list began, whether it was read to its end or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) begun_at: Option<i64>,
    /// The error of the last list, if it was not read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The time before which the vendor wants no request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed_until: Option<i64>,
}

impl ListState {
    /// Returns whether there is nothing to remember.
    pub(crate) fn is_unused(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether the next list is due. A clock that went back makes it due.
    pub(crate) fn is_due(&self, now: i64, interval: Duration) -> bool {
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let is_recent = self
            .begun_at
            .is_some_and(|begun_at| begun_at <= now && now < begun_at.saturating_add(interval));
        !is_recent && self.closed_until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_due_after_its_interval_unless_the_vendor_is_closed() {
        let minute = Duration::from_mins(1);
        for (begun_at, closed_until, now, expected) in [
            (None, None, 0, true),
            (Some(1000), None, 1000, false),
            (Some(1000), None, 60_999, false),
            (Some(1000), None, 61_000, true),
            (Some(1000), None, 999, true),
            (Some(1000), Some(70_000), 61_000, false),
            (Some(1000), Some(70_000), 70_000, true),
            (None, Some(5), 4, false),
        ] {
            let state = ListState { begun_at, closed_until, ..ListState::default() };
            assert_eq!(state.is_due(now, minute), expected, "{state:?} {now}");
        }
    }
}
