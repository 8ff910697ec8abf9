//! The tests that need the stack. One binary, because linking is what costs; one database and one
//! registry per test, so that they run in any order and all at once.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and says where"
)]

mod admin_api;
mod admin_changes;
mod admin_diagnose;
mod admin_guard;
mod admin_lambda;
mod admin_oidc;
mod admin_site;
mod admin_walk;
mod apply;
mod aws_proxy;
mod bed;
mod chart_contents;
mod chart_faults;
mod chart_hostile;
mod chart_memory;
mod chart_rescan;
mod ecr_backfill;
mod ecr_events;
mod ecr_faults;
mod ecr_law;
mod fake;
mod guard;
mod infra;
mod kinds;
mod metrics;
mod migrate;
mod oidc_liar;
mod poll;
mod poll_cursor;
mod poll_deletions;
mod poll_hostile;
mod poll_large;
mod poll_lease;
mod poll_login;
mod proxy;
mod registry_client;
mod settings;
mod stack;
mod tag_parser;
mod version_order;
