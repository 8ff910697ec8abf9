//! What makes us look at something.

use time::OffsetDateTime;

use crate::domain::{Digest, Subject};

/// Something worth looking at, because an event, a listing or a person named it.
///
/// A hint on a digest asks for the digest, and then for every tag whose available row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// What to look at.
    pub subject: Subject,
    /// The push that the hint tells of, if it does. It dates the chart, should the registry still
    /// show that digest.
    pub push: Option<Push>,
    /// Whether somebody asks for it: what is inside is read again although it is known, and a row
    /// that was deleted by hand comes back.
    pub is_requested: bool,
}

impl Hint {
    /// A hint that tells nothing but what to look at.
    #[must_use]
    pub fn at(subject: Subject) -> Self {
        Self { subject, push: None, is_requested: false }
    }
}

/// A push as an event tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The manifest's digest.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: OffsetDateTime,
}
