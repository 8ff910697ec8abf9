//! The questions.

mod charts;
mod deletions;
mod list;
mod logins;
mod others;

pub(crate) use list::ALL;
