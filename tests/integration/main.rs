//! The tests that need the stack. One binary, because linking is what costs; one database and one
//! registry per test, so that they run in any order and all at once.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and says where"
)]

mod admin;
mod charts;
mod database;
mod ecr_events;
mod functions;
mod infra;
mod local_stack;
mod oci;
mod oci_poll;
mod reconcile;
mod support;
mod tag_parser;
