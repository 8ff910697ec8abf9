//! The third step: compares observations with what is stored, and decides what must change. Pure:
//! no I/O, no clock.

mod losses;
mod plan;
mod verdict;

pub use plan::{Plan, diff};
