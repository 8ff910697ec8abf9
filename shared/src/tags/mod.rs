//! What is done with tag formats: charts that are behind them are parsed again, and a pattern is
//! tried.

mod preview;
mod reparse;

pub use preview::{Match, Preview, preview};
pub use reparse::{Reparse, reparse};
