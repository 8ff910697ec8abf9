//! Handles one invocation: parses the tags of charts that are behind, or previews a pattern.

use serde::Serialize;
use serde_json::{Value, json};
use shared::config::TagParser;
use shared::db::Database;
use shared::domain::{PatternError, TagPattern};
use shared::tags::{Reparse, preview, reparse};
use tokio::time::Instant;
use tracing::warn;

use crate::payload::TagParserRequest;

/// Answers invocations.
#[derive(Debug)]
pub(crate) struct Parser {
    is_enabled: bool,
    database: Database,
}

/// The answer while `ENABLE_TAG_PARSER` is off: the numbers, and a note.
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

    /// Takes `{}` and returns a [`Reparse`], or takes a preview and returns the pattern's matches.
    ///
    /// While `ENABLE_TAG_PARSER` is off, it parses no tag, and the answer says so. It still answers
    /// previews, because they write nothing.
    ///
    /// # Errors
    /// Fails if the payload has another shape, or if the database cannot be used.
    pub(crate) async fn handle(&self, payload: Value, deadline: Instant) -> anyhow::Result<Value> {
        match TagParserRequest::read(payload)? {
            TagParserRequest::Preview { pattern, limit } => match checked(&pattern) {
                Ok(pattern) => Ok(serde_json::to_value(
                    preview(&self.database, &pattern, limit, deadline).await?,
                )?),
                Err(error) => Ok(json!({"error": error.to_string()})),
            },
            TagParserRequest::Reparse if self.is_enabled => {
                Ok(serde_json::to_value(reparse(&self.database, deadline).await?)?)
            }
            TagParserRequest::Reparse => {
                let disabled = "ENABLE_TAG_PARSER is not true: no tag is parsed";
                warn!("{disabled}");
                let outcome = Reparse { complete: true, ..Reparse::default() };
                Ok(serde_json::to_value(Disabled { outcome, disabled })?)
            }
        }
    }
}

fn checked(pattern: &str) -> Result<TagPattern, PatternError> {
    let pattern = TagPattern::new(pattern)?;
    pattern.check_group_names()?;
    Ok(pattern)
}
