//! Logging: JSON lines for machines, readable lines on a terminal.

use std::error::Error;
use std::fmt;
use std::io::{IsTerminal as _, stderr};

use time::{OffsetDateTime, UtcOffset};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;

/// Starts logging to standard error, which Lambda collects. `filter` is the value of `RUST_LOG`,
/// and `info` by default.
pub fn start(filter: Option<&str>) {
    // Always logs audit lines, so that every change stays traceable to its user.
    let filter =
        EnvFilter::builder().parse_lossy(format!("{},audit=info", filter.unwrap_or("info")));
    let builder: SubscriberBuilder = tracing_subscriber::fmt();
    let builder = builder.with_env_filter(filter).with_writer(stderr).with_target(false);
    if stderr().is_terminal() {
        builder.compact().init();
    } else {
        // Flattened, because Lambda and CloudWatch only read fields at the top level of a line.
        builder.json().flatten_event(true).with_current_span(false).with_span_list(true).init();
    }
}

/// Formats a time in UTC to the second.
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub OffsetDateTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.to_offset(UtcOffset::UTC);
        let (date, (hour, minute, second)) = (at.date(), at.to_hms());
        write!(f, "{date} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Formats an error with all its causes in one line, because the error alone says only what failed.
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(inner) = cause {
            write!(f, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
