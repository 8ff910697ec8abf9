//! Reads what is inside the charts of a batch.

mod large_chart_permit;
mod read;
mod read_all;

pub(crate) use large_chart_permit::{Room, Taken};
pub(crate) use read::open;
pub(super) use read_all::{Opened, Opening, TaggedChart};
