//! Makes the tables agree with a registry: observe → diff → apply, the same for a push, a delete, a
//! poll and a backfill. A hint only names what to look at; nothing is written because a hint says
//! so.

mod contents;
mod diff;
mod hint;
mod known_formats;
mod observe;
mod options;
mod pending;
mod report;
mod round;
mod run;

pub(crate) use contents::open;
pub use diff::{Plan, diff};
pub use hint::{Hint, Push};
pub use known_formats::KnownFormats;
pub(crate) use observe::{Seen, observe};
pub use options::{ClientFor, Deletions, Terms};
pub use report::{Error, Report};
pub use round::WRITE_TIME;
pub use run::reconcile;
