//! Charts: the table of them, the page of one, and the comparison of two.

mod about;
mod badges;
mod commands;
pub(in crate::pages) mod compare;
pub(in crate::pages) mod detail;
mod diff;
mod markdown;
mod places;
mod table;
mod values;
mod yaml;

pub(super) use table::{Shown, table};
