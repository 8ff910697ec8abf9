//! The pages of registries.

pub(super) mod detail;
mod forms;
pub(super) mod list;
