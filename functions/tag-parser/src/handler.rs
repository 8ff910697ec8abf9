//! One invocation: charts that are behind are parsed again, or a pattern is tried.

use serde::Serialize;
use serde_json::Value;
use shared::config::TagParser;
use shared::db::Database;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::payload::Payload;
use crate::preview::preview;
use crate::reparse::{Outcome, reparse};

/// Parses tags.
#[derive(Debug)]
pub(crate) struct Parser {
    is_enabled: bool,
    database: Database,
}

/// What an invocation that does nothing answers, beside the numbers.
#[derive(Serialize)]
struct Disabled {
    #[serde(flatten)]
    outcome: Outcome,
    disabled: &'static str,
}

impl Parser {
    pub(crate) fn new(settings: TagParser) -> anyhow::Result<Self> {
        Ok(Self { is_enabled: settings.is_enabled, database: Database::new(settings.database)? })
    }

    /// Takes `{}` and returns an [`Outcome`], or takes a preview and returns what the pattern would do. With
    /// `ENABLE_TAG_PARSER` off nothing is parsed, and the answer says so; a preview writes nothing anyway.
    ///
    /// # Errors
    /// A payload of another shape; a database that cannot be used.
    pub(crate) async fn handle(&self, payload: Value, deadline: Instant) -> anyhow::Result<Value> {
        match Payload::read(payload)? {
            Payload::Preview { pattern, limit } => preview(&self.database, &pattern, limit, deadline).await,
            Payload::Reparse if self.is_enabled => {
                let began = Instant::now();
                let outcome = reparse(&self.database, deadline).await?;
                if outcome.checked > 0 {
                    let Outcome { formats, checked, changed, complete } = outcome;
                    info!(
                        formats,
                        checked,
                        changed,
                        complete,
                        duration_ms = began.elapsed().as_millis(),
                        "tags parsed"
                    );
                }
                Ok(serde_json::to_value(outcome)?)
            }
            Payload::Reparse => {
                let disabled = "ENABLE_TAG_PARSER is not true: no tag is parsed";
                warn!("{disabled}");
                let outcome = Outcome { complete: true, ..Outcome::default() };
                Ok(serde_json::to_value(Disabled { outcome, disabled })?)
            }
        }
    }
}
