//! One invocation: charts that are behind are parsed again, or a pattern is tried.

use serde::Serialize;
use serde_json::{Value, json};
use shared::config::TagParser;
use shared::db::Database;
use shared::domain::TagPattern;
use shared::tags::{Reparse, preview, reparse};
use tokio::time::Instant;
use tracing::warn;

use crate::payload::Payload;

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
    outcome: Reparse,
    disabled: &'static str,
}

impl Parser {
    pub(crate) fn new(settings: TagParser) -> anyhow::Result<Self> {
        Ok(Self { is_enabled: settings.is_enabled, database: Database::new(settings.database)? })
    }

    /// Takes `{}` and returns an [`Reparse`], or takes a preview and returns what the pattern would
    /// do. With `ENABLE_TAG_PARSER` off nothing is parsed, and the answer says so; a preview writes
    /// nothing anyway.
    ///
    /// # Errors
    /// A payload of another shape; a database that cannot be used.
    pub(crate) async fn handle(&self, payload: Value, deadline: Instant) -> anyhow::Result<Value> {
        match Payload::read(payload)? {
            Payload::Preview { pattern, limit } => match TagPattern::new(&pattern) {
                Ok(pattern) => Ok(serde_json::to_value(
                    preview(&self.database, &pattern, limit, deadline).await?,
                )?),
                Err(error) => Ok(json!({"error": error.to_string()})),
            },
            Payload::Reparse if self.is_enabled => {
                Ok(serde_json::to_value(reparse(&self.database, deadline).await?)?)
            }
            Payload::Reparse => {
                let disabled = "ENABLE_TAG_PARSER is not true: no tag is parsed";
                warn!("{disabled}");
                let outcome = Reparse { complete: true, ..Reparse::default() };
                Ok(serde_json::to_value(Disabled { outcome, disabled })?)
            }
        }
    }
}
