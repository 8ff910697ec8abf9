//! The words of the trade as types: what a repository, a tag, a digest, a registry may look like.
//! No I/O here.

mod contents;
mod ecr;
mod kind;
mod newest;
mod observation;
mod reference;
mod registry;
mod selection;
mod tag_format;
mod verifier;

pub use contents::{ChartContents, Contents};
pub use ecr::{Account, Region};
pub use kind::KindNaming;
pub use newest::newest_first;
pub use observation::{Observation, Resolution, Subject};
pub use reference::{Digest, Reference, Repository, Tag};
pub use registry::{DomainName, Provider, Registry, RegistryUrl};
pub use selection::{Follows, Selection};
pub use tag_format::{PATTERN_MAX, ParsedTag, PatternError, TagFormat, TagFormats, TagPattern};
pub use verifier::Verifier;

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {reason}")]
pub struct Invalid {
    what: &'static str,
    value: String,
    reason: &'static str,
}

impl Invalid {
    /// Keeps at most 100 characters of the value: it ends up in log lines.
    pub(crate) fn new(what: &'static str, value: &str, reason: &'static str) -> Self {
        let value = if value.chars().count() > 100 {
            value.chars().take(99).chain(['…']).collect()
        } else {
            value.to_owned()
        };
        Self { what, value, reason }
    }
}
