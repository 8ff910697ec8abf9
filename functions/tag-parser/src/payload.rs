//! What the function can be invoked with.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

/// Matches that a preview shows, unless it says otherwise; and at the most.
const DEFAULT_LIMIT: usize = 20;
const LIMIT_MAX: usize = 1_000;

/// A payload of one of the shapes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Every chart that is behind the formats is to be parsed again.
    Reparse,
    /// Somebody wants to see what a pattern would do.
    Preview {
        /// The pattern.
        pattern: String,
        /// How many matches are shown.
        limit: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewFields {
    pattern: String,
    limit: Option<usize>,
}

impl Payload {
    /// Reads a payload: `{}`, or `{"preview":{"pattern":…,"limit":…}}`.
    ///
    /// # Errors
    /// The field that is missing, unknown or unusable; or, of another shape, the shapes that there
    /// are.
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
            bail!("preview.limit is {limit}; it may be {LIMIT_MAX} at the most");
        }
        Ok(Self::Preview { pattern, limit })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn payloads_of_both_shapes_are_read_and_others_told_what_there_is() {
        assert_eq!(Payload::read(json!({})).unwrap(), Payload::Reparse);
        let preview = |limit| Payload::Preview { pattern: "x".to_owned(), limit };
        assert_eq!(Payload::read(json!({"preview": {"pattern": "x"}})).unwrap(), preview(20));
        assert_eq!(
            Payload::read(json!({"preview": {"pattern": "x", "limit": 3}})).unwrap(),
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
            let error = format!("{:#}", Payload::read(payload).unwrap_err());
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
            assert!(Payload::read(serde_json::from_str(sample).unwrap()).is_ok(), "{sample}");
        }
    }
}
