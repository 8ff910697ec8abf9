//! The page of tag formats.

mod forms;
pub(super) mod list;
