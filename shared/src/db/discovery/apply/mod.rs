//! Writes a batch of observations in one short transaction: the guard first, then what follows from
//! the observations that won.

mod charts;
mod columns;
mod contents;
mod contents_json;
mod dismissals;
mod generation;
mod observations;
mod registries;
mod run;
mod transaction;
mod writer;

pub use run::Applied;
pub use writer::Writer;
