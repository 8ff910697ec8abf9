//! The AWS calls of the functions, and the policies that must allow them.
//!
//! With `TEST_AWS_CALLS` set, each function that a test starts talks to AWS's stand-ins through a
//! recorder. `stack rights` compares what all tests recorded with the policies of the plan.

mod comparison;
mod recorded;
mod recorder;
mod request;
mod right;
mod roles;

pub use comparison::Comparison;
pub use recorded::{RecordedCall, compare};
pub(crate) use recorder::Recorder;
pub use request::AwsRequest;
pub use right::Right;
