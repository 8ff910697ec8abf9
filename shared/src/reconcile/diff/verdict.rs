//! The consequence of one observation.

/// The consequence of one observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Apply,
    /// A chart that cannot be read changes no row.
    Ignore,
    Superseded,
    AskAgain,
    /// A chart is missing. The number of others decides whether it is held back.
    Missing,
    Hold,
    Wait,
    StillMissing,
    Denied,
}
