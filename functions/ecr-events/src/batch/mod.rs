//! Follows a batch of events.

mod event;

pub(crate) use event::{Decoded, decode};
