//! Hints: messages of `oci-events` that say which repository to look at. A hint carries nothing
//! that is written. The files form a staircase, and each one calls only files below it:
//!
//! - `batch` takes a batch of SQS, and answers which messages failed.
//! - `follow` follows the hints of one instance, a repository at a time.
//! - `resolve` finds the repository that a hint means, if it names a repository key too.
//! - `begin_pass` makes a pass for hints without a repository.
//! - `message` reads one message.

mod batch;
mod begin_pass;
mod follow;
mod message;
mod resolve;

pub(crate) use batch::handle_hints;
