//! Makes the tables agree with a registry: observe → diff → apply, the same for a push, a delete, a poll and a
//! backfill. A hint only names what to look at; nothing is written because a hint says so.

mod diff;
mod hint;
mod observe;
mod run;
mod terms;

pub use diff::{Plan, diff};
pub use hint::{Hint, Push};
pub use observe::observe;
pub use run::{Error, Report, WRITE_TIME, reconcile};
pub use terms::{Deletions, Terms};
