//! The function `ecr-events`: events, backfill, faults.

mod backfill;
mod batch;
mod events;
mod faults;
mod law;
mod races;
mod registry_faults;
