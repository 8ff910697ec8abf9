//! Starts parsing the tags again after the tag formats have changed.

use serde_json::json;
use shared::db::Database;
use shared::tags::reparse;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, timeout};
use tracing::warn;

use crate::invoke::Functions;

/// Time for a run in this process.
const RUN: Duration = Duration::from_mins(15);

/// Time between two runs in this process that no change has started.
const PAUSE: Duration = Duration::from_mins(1);

/// The place that parses the tags again.
#[derive(Debug)]
pub(crate) enum ReparseTrigger {
    /// In the function of this name or ARN.
    Function(String),
    /// In this process, by [`ReparseTrigger::work`], which waits for the notification.
    InProcess(Notify),
    /// Nowhere, or by the schedule of `tag-parser`.
    None,
}

impl ReparseTrigger {
    pub(crate) fn new(function: Option<String>, in_process: bool) -> Self {
        match function {
            Some(function) => Self::Function(function),
            None if in_process => Self::InProcess(Notify::new()),
            None => Self::None,
        }
    }

    /// Starts parsing and does not wait for its end, because the change is already saved. If the
    /// start fails, the schedule of `tag-parser` parses the tags.
    pub(crate) async fn fire(&self, functions: &Functions) {
        match self {
            Self::Function(function) => {
                if let Err(error) = functions.start(function, &json!({})).await {
                    let message =
                        "TAG_PARSER_FUNCTION was not invoked: its schedule will parse the tags";
                    warn!(function, error = %shared::telemetry::Causes(&error), "{message}");
                }
            }
            Self::InProcess(wake) => wake.notify_one(),
            Self::None => {}
        }
    }

    /// Parses the tags after each notification, and once a minute because a change may come from
    /// another process. Never returns.
    pub(crate) async fn work(&self, database: &Database) {
        let Self::InProcess(wake) = self else { return std::future::pending().await };
        loop {
            if let Err(error) = reparse(database, Instant::now() + RUN).await {
                warn!(error = %shared::telemetry::Causes(&error), "the tags were not parsed again");
            }
            let _notified_or_not = timeout(PAUSE, wake.notified()).await;
        }
    }
}
