//! Handles a batch of events.

mod envelope;
mod event;
mod handle;
mod message;

pub(crate) use handle::{handle_batch, handle_event};
