//! The function `tag-parser`.

mod preview;
mod reparse;
