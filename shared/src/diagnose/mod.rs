//! Asks a registry, step by step, what discovery would ask about one chart, and explains each
//! answer. It writes nothing. It runs in the function that has the registry's credentials.

mod chart;
mod diagnosis;
mod faults;
mod repository;
mod request;
mod run;
mod similar_tags;
mod step;
mod tag;

pub use repository::Followed;
pub use request::{Request, Target};
pub use run::{Live, diagnose};
pub use step::{Step, StepId};
