//! The payloads that the function accepts.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

/// How many matches a preview shows if it names no limit.
const DEFAULT_LIMIT: usize = 20;

/// The largest limit of a preview.
const LIMIT_MAX: usize = 1_000;

/// The request of an invocation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TagParserRequest {
    /// Parse the tags of all charts that are behind.
    Reparse,
    /// Show what a pattern would match.
    Preview {
        /// The pattern.
        pattern: String,
        /// How many matches to show.
        limit: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewFields {
    pattern: String,
    limit: Option<usize>,
}

impl TagParserRequest {
    /// Reads a payload: `{}`, or `{"preview":{"pattern":…,"limit":…}}`.
    ///
    /// # Errors
    /// Names the field that is missing, unknown or unusable. For another shape, it names the shapes
    /// that the function accepts.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        let shapes = "tag-parser takes {} or {\"preview\":{\"pattern\":\"^(?P<version>.+)$\"}}";
        let Value::Object(mut fields) = payload else { bail!("unknown payload: {shapes}") };
        let preview = fields.remove("preview");
        if let Some(unknown) = fields.keys().next() {
            bail!("unknown field {unknown:?}: {shapes}");
        }
        let Some(preview) = preview else { return Ok(Self::Reparse) };
        let PreviewFields { pattern, limit } =
            serde_json::from_value(preview).context("preview cannot be read")?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if limit > LIMIT_MAX {
            bail!("preview.limit is {limit}; it may be at most {LIMIT_MAX}");
        }
        Ok(Self::Preview { pattern, limit })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_shapes_are_read_and_other_payloads_are_refused_with_the_field() {
        assert_eq!(TagParserRequest::read(json!({})).unwrap(), TagParserRequest::Reparse);
        let preview = |limit| TagParserRequest::Preview { pattern: "x".to_owned(), limit };
        assert_eq!(
            TagParserRequest::read(json!({"preview": {"pattern": "x"}})).unwrap(),
            preview(20)
        );
        assert_eq!(
            TagParserRequest::read(json!({"preview": {"pattern": "x", "limit": 3}})).unwrap(),
            preview(3)
        );
        for (payload, named) in [
            (json!([]), "unknown payload"),
            (json!({"reparse": true}), "unknown field \"reparse\""),
            (json!({"preview": {}}), "pattern"),
            (json!({"preview": {"pattern": "x", "limit": -1}}), "preview cannot be read"),
            (json!({"preview": {"pattern": "x", "limit": 1001}}), "preview.limit"),
            (json!({"preview": {"pattern": "x", "more": 1}}), "more"),
        ] {
            let error = format!("{:#}", TagParserRequest::read(payload).unwrap_err());
            assert!(
                error.contains(named) && !error.contains('\n'),
                "{error} does not name {named}"
            );
        }
    }

    #[test]
    fn the_samples_in_events_are_payloads() {
        for sample in [
            include_str!("../../../events/tag-parser.json"),
            include_str!("../../../events/tag-parser-preview.json"),
        ] {
            assert!(
                TagParserRequest::read(serde_json::from_str(sample).unwrap()).is_ok(),
                "{sample}"
            );
        }
    }
}
