//! The guard against stale observations.

mod clock;
mod dismissed;
mod guard;
mod indexes;
mod overwritten;
