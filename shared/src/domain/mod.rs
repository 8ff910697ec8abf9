//! The terms of the OCI specifications as types: repository, tag, digest and registry. Checks the
//! grammar of each. Does no I/O.

mod contents;
mod ecr;
mod error_text;
mod invalid;
mod kind;
mod left_out;
mod newest;
mod observation;
mod past_time;
mod reference;
mod registry;
mod selection;
mod tag_format;
mod verifier;

pub use contents::{CONTENTS_VERSION, ChartContents, Contents};
pub use ecr::{Account, Region};
pub(crate) use error_text::error_text;
pub use invalid::Invalid;
pub use kind::KindNaming;
pub use left_out::LeftOut;
pub use newest::newest_first;
pub use observation::{Observation, Resolution, Subject};
pub use past_time::PastTime;
pub use reference::{Digest, Reference, Repository, Tag};
pub use registry::{DomainName, Provider, Registry, RegistryUrl};
pub use selection::{Follows, Selection};
pub use tag_format::{PATTERN_MAX, ParsedTag, PatternError, TagFormat, TagFormats, TagPattern};
pub use verifier::Verifier;
