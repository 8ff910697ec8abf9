//! The tests that need the stack. They are one binary, because linking takes most of the build
//! time. Each test has its own database and registry, so the tests run in any order and at the same
//! time.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and says where"
)]

mod admin;
mod adoption;
mod charts;
mod database;
mod ecr_events;
mod functions;
mod infra;
mod local_stack;
mod oci;
mod oci_events;
mod oci_poll;
mod reconcile;
mod support;
mod tag_parser;
