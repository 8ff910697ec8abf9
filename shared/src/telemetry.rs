//! Log lines: JSON for machines, one human line each on a terminal.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;

/// Starts logging to standard error, which Lambda collects. `filter` is the value of `RUST_LOG`; `info` without it.
pub fn start(filter: Option<&str>) {
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or("info"));
    let builder: SubscriberBuilder = tracing_subscriber::fmt();
    let builder = builder.with_env_filter(filter).with_writer(stderr).with_target(false);
    if stderr().is_terminal() {
        builder.compact().init();
    } else {
        // Lambda and CloudWatch know a line's fields when they stand at its top.
        builder.json().flatten_event(true).with_current_span(false).with_span_list(true).init();
    }
}
