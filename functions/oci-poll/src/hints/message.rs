//! Reads one message: `{"hint":{"instance":…,"repository":…,…}}`.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use shared::announced::Announced;
use shared::domain::{Repository, Tag};
use time::OffsetDateTime;

/// Names what to look at. Without a repository it is the whole instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PollHint {
    pub(super) instance: String,
    pub(super) place: Option<HintedPlace>,
    /// The tag, if the sender named exactly one.
    pub(super) tag: Option<Tag>,
    pub(super) announced: Announced,
}

/// The repository as the sender names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HintedPlace {
    pub(super) repository: Repository,
    /// The repository key of Artifactory and Nexus. The repository may have its name in front.
    pub(super) key: Option<String>,
}

/// Fields that a later version adds are ignored, because the two functions are not deployed at the
/// same moment.
#[derive(Deserialize)]
struct Body {
    hint: HintFields,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HintFields {
    instance: String,
    repository: Option<String>,
    key: Option<String>,
    tag: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    sent_at: Option<OffsetDateTime>,
}

impl PollHint {
    /// Reads a record of SQS.
    ///
    /// # Errors
    /// Fails if its body is no hint.
    pub(super) fn read(record: &Value) -> anyhow::Result<Self> {
        let shape = "the message is no hint such as \
                     {\"hint\":{\"instance\":…,\"repository\":…,\"receivedAt\":…}}";
        let body = record.get("body").and_then(Value::as_str).unwrap_or_default();
        let Body { hint } = serde_json::from_str(body).context(shape)?;
        let repository = hint.repository.map(|name| name.parse()).transpose();
        let repository = repository.context("hint.repository cannot be used")?;
        let tag = hint.tag.map(|tag| tag.parse()).transpose().context("hint.tag cannot be used")?;
        Ok(Self {
            instance: hint.instance,
            place: repository.map(|repository| HintedPlace { repository, key: hint.key }),
            tag,
            announced: Announced { received_at: hint.received_at, sent_at: hint.sent_at },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn read(body: &Value) -> anyhow::Result<PollHint> {
        PollHint::read(&json!({"messageId": "1", "body": body.to_string()}))
    }

    #[test]
    fn message_of_oci_events_is_a_hint() {
        let hint = json!({"instance": "hub", "repository": "acme/tea", "key": "docker-local",
            "tag": "1.0.0", "digest": "sha256:0", "later": 1,
            "receivedAt": "2026-11-22T12:00:01.5Z", "sentAt": "2026-11-22T12:00:00Z"});
        let key = Some("docker-local".to_owned());
        let place = HintedPlace { repository: "acme/tea".parse().unwrap(), key };
        let expected = PollHint {
            instance: "hub".to_owned(),
            place: Some(place),
            tag: Some("1.0.0".parse().unwrap()),
            announced: Announced {
                received_at: datetime!(2026-11-22 12:00:01.5 UTC),
                sent_at: Some(datetime!(2026-11-22 12:00:00 UTC)),
            },
        };
        assert_eq!(read(&json!({"hint": hint})).unwrap(), expected);
        let hint = json!({"instance": "hub", "receivedAt": "2026-11-22T12:00:01Z"});
        let hint = read(&json!({"hint": hint})).unwrap();
        assert!(hint.place.is_none() && hint.tag.is_none() && hint.announced.sent_at.is_none());
    }

    #[test]
    fn other_message_says_what_is_wrong_with_it() {
        let with = |field: &str, value: Value| {
            let mut hint = json!({"instance": "hub", "receivedAt": "2026-11-22T12:00:01Z"});
            hint[field] = value;
            json!({"hint": hint})
        };
        for (body, named) in [
            (json!({}), "no hint such as"),
            (json!([1]), "no hint such as"),
            (json!({"hint": {"instance": "hub"}}), "receivedAt"),
            (with("instance", json!(null)), "no hint such as"),
            (with("receivedAt", json!("soon")), "no hint such as"),
            (with("repository", json!("A")), "hint.repository"),
            (with("tag", json!("-")), "hint.tag"),
        ] {
            let error = format!("{:#}", read(&body).unwrap_err());
            assert!(error.contains(named) && !error.contains('\n'), "{error}");
        }
        assert!(PollHint::read(&json!({"messageId": "1"})).is_err());
    }
}
