//! Hints: what to look at, and why.

use time::OffsetDateTime;

use crate::domain::{Digest, Subject};

/// A subject to look at, because an event, a listing or a person named it.
///
/// If the subject is a digest, `reconcile` also looks at every tag whose available row has that
/// digest. If the registry has the digest, it looks at the tags of retired rows too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The subject to look at.
    pub subject: Subject,
    /// The push that the hint reports. If the subject still resolves to its digest, it dates the
    /// chart.
    pub push: Option<Push>,
    /// Whether a rescan asks for it. Its contents are read again although they are known, and a row
    /// that an admin deleted comes back.
    pub is_requested: bool,
    /// Whether the contents are read again if an earlier version of the program read them. The rows
    /// keep what they have if they cannot be read.
    pub renews_contents: bool,
    /// Whether the hint reports a push so recent that the registry may not show it yet. If the
    /// subject is absent, the hint fails, and nothing is written. If it resolves to another digest,
    /// that is written, and the hint fails too.
    pub awaits_push: bool,
    /// When the event happened that the hint comes from. Only a later event than a push proves that
    /// the registry shows the push.
    pub reported_at: Option<OffsetDateTime>,
    /// What the repository's list says of the subject.
    pub listing: Listing,
}

/// What the list of a repository's tags says of a subject. If several hints name it, the greatest
/// one counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listing {
    /// Nothing, because no list was read.
    #[default]
    Unread,
    /// The complete list does not have it.
    Unlisted,
    /// The list has it.
    Listed,
    /// The registry denies the whole repository, so that the absence of a manifest in it proves
    /// nothing.
    Denied,
}

impl Hint {
    /// Makes a hint without a push.
    #[must_use]
    pub fn at(subject: Subject) -> Self {
        Self {
            subject,
            push: None,
            is_requested: false,
            renews_contents: false,
            awaits_push: false,
            reported_at: None,
            listing: Listing::Unread,
        }
    }
}

/// A push, as an event or a listing reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The manifest's digest.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: OffsetDateTime,
}
