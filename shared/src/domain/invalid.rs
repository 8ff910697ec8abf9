//! The error of every type that is parsed from text.

/// Says which text is not valid, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {reason}")]
pub struct Invalid {
    what: &'static str,
    value: String,
    reason: &'static str,
}

impl Invalid {
    /// Keeps at most 100 characters of the value, because it appears in log lines.
    pub(crate) fn new(what: &'static str, value: &str, reason: &'static str) -> Self {
        let value = if value.chars().count() > 100 {
            value.chars().take(99).chain(['…']).collect()
        } else {
            value.to_owned()
        };
        Self { what, value, reason }
    }
}
