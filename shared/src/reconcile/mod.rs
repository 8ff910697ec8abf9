//! Makes the tables agree with a registry: observe → diff → apply, the same for a push, a delete, a
//! poll and a backfill. A hint only names what to look at; nothing is written because a hint says
//! so.

mod diff;
mod formats;
mod hint;
mod look;
mod observe;
mod open;
mod opening;
mod pending;
mod report;
mod run;
mod terms;

pub use diff::{Plan, diff};
pub use formats::KnownFormats;
pub use hint::{Hint, Push};
pub(crate) use observe::{Seen, observe};
pub(crate) use open::open;
pub use report::{Error, Report};
pub use run::{WRITE_TIME, reconcile};
pub use terms::{ClientFor, Deletions, Terms};
