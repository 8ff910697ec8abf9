//! The writer of a batch.

use crate::domain::KindNaming;

/// The instance that a batch is written for.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The instance whose generation rises; `None` when no instance writes.
    pub instance: Option<&'a str>,
    /// Whether it notes the repositories that it changes, because it writes beside the instance's
    /// passes.
    pub notes_changes: bool,
    /// The way to name the kinds of new registries.
    pub kind_naming: KindNaming,
}
