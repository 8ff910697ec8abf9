//! The contents of charts, valid or hostile.

mod contents;
mod documents;
mod faults;
mod helm_verdict;
mod hostile;
mod memory;
mod odd_times;
mod renewal;
mod rescan;
