//! The pages of kinds.

pub(super) mod detail;
pub(super) mod list;
