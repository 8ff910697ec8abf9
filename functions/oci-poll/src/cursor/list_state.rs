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
    /// Whether the last list was read to its end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_whole: bool,
    /// A repository that changed although its mark was the same. The next list decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) doubted: Option<DoubtedMark>,
    /// The proof that marks are wrong. They are not used for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wrong: Option<DoubtedMark>,
}

/// A mark, and the repository that changed although the mark was the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoubtedMark {
    /// The repository.
    pub(crate) repository: String,
    /// Its mark.
    pub(crate) mark: u32,
    /// When the change was found, or when the mark proved to be wrong.
    pub(crate) at: i64,
}

/// The milliseconds of a day.
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1000;

/// The longest time for which a vendor can close its list, with some drift of the clocks.
const CLOSED_LIMIT: i64 = 61 * 60 * 1000;

/// The time after which a list must have the mark of a change, in milliseconds.
const SHOWN_AFTER: i64 = 60 * 1000;

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
        // A time that no answer could have named comes from a clock that was ahead.
        let is_closed =
            self.closed_until.is_some_and(|until| now < until && until <= now + CLOSED_LIMIT);
        !is_recent && !is_closed
    }

    /// Begins a list.
    pub(crate) fn begin(&mut self, now: i64) {
        let (doubted, wrong) = (self.doubted.take(), self.wrong.take());
        *self = Self { begun_at: Some(now), doubted, wrong, ..Self::default() };
    }

    /// Ends a list that was read to its end, or not. A repository that a whole list no longer has
    /// proves nothing about marks.
    pub(crate) fn end(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
        let begun_at = self.begun_at.unwrap_or_default();
        self.doubted.take_if(|doubted| is_whole && begun_at >= doubted.at + SHOWN_AFTER);
    }

    /// Returns whether the marks are used.
    pub(crate) fn uses_marks(&self, now: i64) -> bool {
        self.wrong.as_ref().is_none_or(|wrong| now < wrong.at || now >= wrong.at + DAY)
    }

    /// Doubts a mark, because its repository changed. The list may have been read before the
    /// change, so that only the next one decides.
    pub(crate) fn doubt(&mut self, doubted: DoubtedMark) {
        let known = self.doubted.take_if(|known| known.at <= doubted.at);
        self.doubted = Some(known.unwrap_or(doubted));
    }

    /// Takes the mark that a list has for a repository. Marks are wrong if a list that began well
    /// after a change has the same mark as before.
    pub(crate) fn take_mark(&mut self, repository: &str, mark: Option<u32>) {
        let Some(doubted) = self.doubted.take_if(|doubted| doubted.repository == repository) else {
            return;
        };
        let at = self.begun_at.unwrap_or_default();
        match mark {
            Some(mark) if mark == doubted.mark && at >= doubted.at + SHOWN_AFTER => {
                self.wrong = Some(DoubtedMark { at, ..doubted });
            }
            Some(mark) if mark == doubted.mark => self.doubted = Some(doubted),
            // The change has a mark.
            Some(_) | None => {}
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_is_wrong_if_a_later_list_still_has_it() {
        let doubted = || DoubtedMark { repository: "a".to_owned(), mark: 7, at: 1000 };
        for (name, begun_at, repository, mark, is_wrong, is_doubted) in [
            ("the list began before the change", 900, "a", Some(7), false, true),
            ("the list may lag behind", 60_999, "a", Some(7), false, true),
            ("the same mark", 61_000, "a", Some(7), true, false),
            ("another mark", 61_000, "a", Some(8), false, false),
            ("a young mark", 61_000, "a", None, false, false),
            ("another repository", 61_000, "b", Some(7), false, true),
        ] {
            let mut list = ListState::default();
            list.doubt(doubted());
            list.begin(begun_at);
            list.take_mark(repository, mark);
            assert_eq!(list.wrong.is_some(), is_wrong, "{name}");
            assert_eq!(list.doubted.is_some(), is_doubted, "{name}");
            assert_eq!(list.uses_marks(61_000), !is_wrong, "{name}");
            assert!(list.uses_marks(61_000 + DAY), "{name}");
        }
    }

    #[test]
    fn doubt_ends_with_the_repository_and_with_a_clock_that_was_ahead() {
        let doubted = |at| DoubtedMark { repository: "a".to_owned(), mark: 7, at };
        let mut list = ListState::default();
        list.doubt(doubted(1_000_000));
        list.doubt(doubted(1000));
        assert_eq!(list.doubted, Some(doubted(1000)));
        list.doubt(doubted(2000));
        assert_eq!(list.doubted, Some(doubted(1000)), "the first change counts");
        for (begun_at, is_whole, is_doubted) in
            [(60_999, true, true), (61_000, false, true), (61_000, true, false)]
        {
            list.begin(begun_at);
            list.end(is_whole);
            assert_eq!(list.doubted.is_some(), is_doubted, "{begun_at} {is_whole}");
        }
    }

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
            (None, Some(5 + CLOSED_LIMIT), 4, true),
        ] {
            let state = ListState { begun_at, closed_until, ..ListState::default() };
            assert_eq!(state.is_due(now, minute), expected, "{state:?} {now}");
        }
    }
}
