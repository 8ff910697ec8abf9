//! The function `tag-parser`.

mod reparse;
