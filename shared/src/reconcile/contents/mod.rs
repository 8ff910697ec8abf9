//! The second step: reads what is inside charts.

mod large_chart_permit;
mod read;
mod read_all;

pub(crate) use large_chart_permit::{LargeChartPermit, LargeChartPermits};
pub(crate) use read::read_contents;
pub(super) use read_all::{FinishedRead, ReadReason, Reads, TaggedChart};
