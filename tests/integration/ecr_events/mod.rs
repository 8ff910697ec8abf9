//! The function `ecr-events`: events, backfill, faults.

mod backfill;
mod batch;
mod faults;
mod law;
