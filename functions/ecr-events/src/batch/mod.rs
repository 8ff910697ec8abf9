//! Handles a batch of events.

mod event;
mod handle;

pub(crate) use handle::{handle_batch, handle_event};
