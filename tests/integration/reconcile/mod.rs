//! The guard against stale observations.

mod clock;
mod guard;
mod indexes;
mod overwritten;
