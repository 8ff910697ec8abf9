//! Why is this chart not there? Asks a registry what discovery would ask it, one step after the
//! other, and says in words what comes of each. Nothing is written. It runs in the function that
//! has the registry's credentials.

mod faults;
mod live;
mod request;
mod similar;
mod step;

pub use live::{Followed, Live, diagnose};
pub use request::{Request, Target};
pub use step::{Step, StepId};
