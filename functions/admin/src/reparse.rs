//! Who parses the tags again after the formats have changed.

use serde_json::json;
use shared::db::Database;
use shared::tags::reparse;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, timeout};
use tracing::warn;

use crate::invoke::Functions;

/// Time for a run in this process, and between two of them that nobody asked for.
const RUN: Duration = Duration::from_mins(15);
const PAUSE: Duration = Duration::from_mins(1);

/// Who parses the tags again.
#[derive(Debug)]
pub(crate) enum Trigger {
    /// The function of this name, or ARN, is invoked.
    Function(String),
    /// This process does: [`Trigger::work`] is told.
    Here(Notify),
    /// The schedule of `tag-parser`, or nobody.
    Nobody,
}

impl Trigger {
    pub(crate) fn new(function: Option<String>, here: bool) -> Self {
        match function {
            Some(function) => Self::Function(function),
            None if here => Self::Here(Notify::new()),
            None => Self::Nobody,
        }
    }

    /// Has the tags parsed again, without waiting for it: the change is made. What fails here is
    /// made up for by the schedule of `tag-parser`.
    pub(crate) async fn fire(&self, functions: &Functions) {
        match self {
            Self::Function(function) => {
                if let Err(error) = functions.start(function, &json!({})).await {
                    let said =
                        "TAG_PARSER_FUNCTION was not invoked: its schedule will see to the tags";
                    warn!(function, error = %shared::telemetry::Causes(&error), "{said}");
                }
            }
            Self::Here(wake) => wake.notify_one(),
            Self::Nobody => {}
        }
    }

    /// Parses the tags whenever it is told to, and once a minute, for changes that nobody told of.
    /// Never ends.
    pub(crate) async fn work(&self, database: &Database) {
        let Self::Here(wake) = self else { return std::future::pending().await };
        loop {
            if let Err(error) = reparse(database, Instant::now() + RUN).await {
                warn!(error = %shared::telemetry::Causes(&error), "the tags were not parsed again");
            }
            let _told_or_not = timeout(PAUSE, wake.notified()).await;
        }
    }
}
