//! Applies tag formats to stored charts: parses tags that are behind again, and previews a pattern.

mod preview;
mod reparse;

pub use preview::{LostVersion, LostVersions, Match, Preview, preview};
pub use reparse::{Reparse, reparse};
