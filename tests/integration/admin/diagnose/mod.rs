//! Tests the diagnosis "why is this chart not there?". Each test produces a cause and expects the
//! first failed step to name it. Then it follows the remedy and expects the step to succeed.

mod chart;
mod configuration;
mod discovery;
mod ecr;
mod registry;
mod request;
mod rows;
