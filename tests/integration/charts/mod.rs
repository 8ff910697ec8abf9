//! What is inside a chart, good or hostile.

mod contents;
mod faults;
mod hostile;
mod memory;
mod rescan;
