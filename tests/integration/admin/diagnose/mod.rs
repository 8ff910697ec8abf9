//! Why is this chart not there? Each test makes a cause, expects it to be the first step that
//! fails, follows the remedy, and expects the cause to have disappeared.

mod chart;
mod configuration;
mod discovery;
mod ecr;
mod registry;
mod request;
mod rows;
