//! The faults of a request to a registry, and what they mean.

mod kinds;
mod questions;
mod reason;

pub use kinds::Error;
pub(crate) use questions::codes_in;
pub(super) use reason::Refusal;
pub use reason::{ChallengeDefect, NotAList, RealmRule, Reason, Transport};
