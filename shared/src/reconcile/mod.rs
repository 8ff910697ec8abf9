//! Makes the tables agree with a registry in four steps: observe, read, diff, apply. The steps are
//! the same for an event, a poll and a backfill. A hint only names what to look at, and changes no
//! row by itself.

mod config_blob;
mod contents;
mod diff;
mod hint;
mod image_index;
mod known_formats;
mod known_population;
mod observe;
mod options;
mod pending;
mod report;
mod round;
mod run;
mod write;

pub(crate) use contents::{LargeChartPermits, read_contents};
pub use diff::{Plan, diff};
pub use hint::{Hint, Listing, Push};
pub use known_formats::KnownFormats;
pub use known_population::KnownPopulation;
pub(crate) use observe::{LookAnswer, observe};
pub use options::{ClientFor, Deletions, ReconcileOptions};
pub use report::{Error, Report};
pub use round::WRITE_TIME;
pub use run::reconcile;
