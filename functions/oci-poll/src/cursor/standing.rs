//! Whether the rows of a repository agree with its list.

pub(super) const UNSETTLED: u8 = 1;
pub(super) const NOTED: u8 = 8;

/// Whether the rows of a repository agree with its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The last listing was handled to the end.
    Settled,
    /// A tag is missing and held back, or listed and absent. The next pass compares the repository
    /// again, although its list may be the same.
    Unsettled,
    /// Another writer changed the rows since the list was compared. The next pass compares the
    /// repository again, and a tag that the list lacks may be new.
    Noted,
}

impl Standing {
    pub(super) fn of(is_unsettled: bool) -> Self {
        if is_unsettled { Self::Unsettled } else { Self::Settled }
    }

    pub(super) fn flag(self) -> u8 {
        match self {
            Self::Settled => 0,
            Self::Unsettled => UNSETTLED,
            Self::Noted => NOTED,
        }
    }
}
