//! The contents of charts, valid or hostile.

mod contents;
mod faults;
mod hostile;
mod memory;
mod rescan;
