//! The guard against stale observations.

mod guard;
