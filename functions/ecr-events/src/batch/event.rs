//! Decodes ECR's events in EventBridge's envelope. An event is only a hint: it names a repository,
//! a tag and a digest to look at.

use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use shared::domain::{
    Account, Digest, Reference, Region, Registry, Repository, Selection, Subject, Tag,
};
use shared::helm::is_helm_config;
use shared::reconcile::{Hint, Push};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::envelope;

/// Says what an event asks for.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// Asks for nothing. A retry would not change that.
    Skip(String),
    /// Asks for a lookup of these references.
    Look(Vec<Hint>),
    /// Asks for a lookup of those of these tags whose rows are available. The event names no chart,
    /// so any other tag needs no lookup.
    LookIfAvailable(Vec<Hint>),
}

/// EventBridge's envelope, with the fields that the function uses. Other fields are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EcrEvent {
    source: String,
    account: String,
    region: String,
    time: Option<String>,
    detail: serde_json::Value,
}

/// The detail of an event. Each type of event has only some of these fields. AWS's samples lack the
/// media types, and a tag is present only if the request named one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    result: Option<String>,
    action_type: Option<String>,
    repository_name: Option<String>,
    image_digest: Option<String>,
    image_tag: Option<String>,
    image_tags: Option<Vec<String>>,
    artifact_media_type: Option<String>,
}

/// The events that the instance follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventScope<'a> {
    /// The accounts. An empty list means all.
    pub(super) accounts: &'a [Account],
    /// The repositories.
    pub(super) selection: &'a Selection,
}

/// Decodes one event. The registry may not show yet what was pushed since `fresh_since`.
///
/// # Errors
/// Fails if the body is not an ECR event, or if it names something that cannot exist.
pub(crate) fn decode(
    body: &str,
    scope: EventScope<'_>,
    fresh_since: Option<OffsetDateTime>,
) -> anyhow::Result<Decoded> {
    let event: EcrEvent = serde_json::from_value(envelope::open(body)?)
        .context("the message is not an EventBridge event")?;
    if event.source != "aws.ecr" {
        return Ok(Decoded::Skip(format!("an event of {:?}", event.source)));
    }
    let account: Account = event.account.parse()?;
    let region: Region = event.region.parse()?;
    if !scope.accounts.is_empty() && !scope.accounts.contains(&account) {
        return Ok(Decoded::Skip(format!("account {account} is not in ECR_ACCOUNTS")));
    }
    let detail: Detail =
        serde_json::from_value(event.detail).context("the event's detail is not ECR's")?;
    let Some(repository) = given(detail.repository_name.as_ref()) else {
        return Ok(Decoded::Skip("an event that names no repository".to_owned()));
    };
    let repository: Repository = repository.parse()?;
    if !scope.selection.has(&repository) {
        return Ok(Decoded::Skip(format!("ECR_SELECTION does not select {repository}")));
    }
    let happened_at = event.time.and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok());
    // The time of an event may have a year that cannot be compared as a date.
    let is_fresh = happened_at
        .zip(fresh_since)
        .is_some_and(|(happened_at, since)| happened_at.unix_timestamp() >= since.unix_timestamp());
    let place = EventPlace { registry: Arc::new(Registry::ecr(&account, &region)?), repository };
    decode_detail(&detail, &place, EventTime { happened_at, is_fresh })
}

/// The repository of an event.
struct EventPlace {
    registry: Arc<Registry>,
    repository: Repository,
}

/// The time of an event.
#[derive(Clone, Copy)]
struct EventTime {
    happened_at: Option<OffsetDateTime>,
    /// Whether the registry may not show the push yet.
    is_fresh: bool,
}

/// Every event that names a repository and a tag or a digest is a hint, whatever its type and its
/// action are. AWS adds types without notice, and a look at an unchanged tag costs one request.
fn decode_detail(detail: &Detail, place: &EventPlace, time: EventTime) -> anyhow::Result<Decoded> {
    if let Some(result) = detail.result.as_deref().filter(|result| *result != "SUCCESS") {
        return Ok(Decoded::Skip(format!("an action with the result {result:?}")));
    }
    let is_push = matches!(detail.action_type.as_deref(), Some("PUSH" | "REPLICATE"));
    let digest: Option<Digest> = given(detail.image_digest.as_ref()).map(str::parse).transpose()?;

    let hint = |reference, push| {
        let (registry, repository) = (Arc::clone(&place.registry), place.repository.clone());
        let subject = Subject { registry, repository, reference };
        let awaits_push = is_push && time.is_fresh;
        Hint { push, awaits_push, reported_at: time.happened_at, ..Hint::at(subject) }
    };
    let push = digest.clone().zip(time.happened_at).filter(|_| is_push);
    let push = push.map(|(digest, pushed_at)| Push { digest, pushed_at });
    let tags: Vec<Hint> =
        detail.tags().map(|tag| hint(Reference::Tag(tag), push.clone())).collect();
    if given(detail.artifact_media_type.as_ref()).is_some_and(|given| !is_helm_config(given)) {
        return Ok(match tags.as_slice() {
            [] => Decoded::Skip("no chart, no tag".to_owned()),
            _ => Decoded::LookIfAvailable(tags),
        });
    }
    // AWS does not document whether a deletion by digest sends one event per tag. So the function
    // also looks up the digest, and with it every tag whose row has that digest. An unknown action
    // may be a deletion too.
    let digest = digest.filter(|_| !is_push).map(|digest| hint(Reference::Digest(digest), None));
    let hints: Vec<Hint> = tags.into_iter().chain(digest).collect();
    if hints.is_empty() {
        return Ok(Decoded::Skip("an event that names no tag".to_owned()));
    }
    Ok(Decoded::Look(hints))
}

impl Detail {
    /// Lists the tags that the event names. No chart has a tag outside the grammar.
    fn tags(&self) -> impl Iterator<Item = Tag> {
        let tags = self.image_tag.iter().chain(self.image_tags.iter().flatten());
        tags.filter_map(|tag| tag.parse().ok())
    }
}

/// Returns a text that is not empty. An empty field tells as little as a missing one.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const DOMAIN: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

    /// Returns a push of a chart whose detail has these changes. `null` removes a field.
    fn event(changes: &Value) -> Value {
        let mut event = json!({
            "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482",
            "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": "2026-11-16T01:54:34Z",
            "region": "us-east-1",
            "resources": [],
            "detail": {
                "result": "SUCCESS", "repository-name": "my-org/api", "image-digest": DIGEST,
                "action-type": "PUSH", "image-tag": "1.0.0",
                "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
                "artifact-media-type": "application/vnd.cncf.helm.config.v1+json",
            },
        });
        for (field, value) in changes.as_object().unwrap() {
            let place = if event.get(field).is_some() {
                &mut event[field]
            } else {
                &mut event["detail"][field]
            };
            *place = value.clone();
        }
        event
    }

    /// Decodes an event for an instance that follows `my-org/*`, and the account or all accounts.
    fn decode_for(body: &str, account: Option<&str>) -> anyhow::Result<Decoded> {
        let accounts: Vec<Account> =
            account.into_iter().map(|account| account.parse().unwrap()).collect();
        let selection = Selection::read("x", Some(&["my-org/*".to_owned()]), &[]).unwrap();
        decode(body, EventScope { accounts: &accounts, selection: &selection }, None)
    }

    /// Returns the references to look up as text, with `?` after one that is looked up only if it
    /// is available.
    fn in_words(body: &str) -> String {
        match decode_for(body, Some("123456789012")) {
            Ok(Decoded::Skip(_)) => "skip".to_owned(),
            Ok(Decoded::Look(hints)) => {
                let subjects: Vec<String> =
                    hints.iter().map(|hint| hint.subject.to_string()).collect();
                subjects.join(" ")
            }
            Ok(Decoded::LookIfAvailable(hints)) => {
                let subjects: Vec<String> =
                    hints.iter().map(|hint| format!("{}?", hint.subject)).collect();
                subjects.join(" ")
            }
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn each_sample_in_events_is_decoded_as_its_readme_says() {
        let subject = "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-org/payments-api";
        let digest = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd12345678";
        let table = [
            (include_str!("../../../../events/ecr-image-push.json"), format!("{subject}:1.0.0")),
            (
                include_str!("../../../../events/ecr-image-push-without-media-types.json"),
                format!("{subject}:1.0.0"),
            ),
            (
                include_str!("../../../../events/ecr-image-push-container-image.json"),
                format!("{subject}:1.0.0?"),
            ),
            (include_str!("../../../../events/ecr-image-push-failed.json"), "skip".to_owned()),
            (
                include_str!("../../../../events/ecr-image-delete.json"),
                format!("{subject}:1.0.0 {subject}@{digest}"),
            ),
            (
                include_str!("../../../../events/ecr-image-delete-without-tag.json"),
                format!("{subject}@{digest}"),
            ),
            (include_str!("../../../../events/ecr-replication.json"), format!("{subject}:1.0.0")),
            (
                include_str!("../../../../events/ecr-image-scan.json"),
                format!("{subject}:1.0.0 {subject}@{digest}"),
            ),
            (
                include_str!("../../../../events/ecr-image-archive.json"),
                format!("{subject}@{digest}"),
            ),
            (
                include_str!("../../../../events/ecr-pull-through-cache.json"),
                format!("{subject}:1.0.0 {subject}@{digest}"),
            ),
        ];
        for (sample, expected) in table {
            assert_eq!(in_words(sample), expected, "{sample}");
        }
    }

    #[test]
    fn each_event_names_the_references_to_look_at() {
        let tag = format!("{DOMAIN}/my-org/api:1.0.0");
        let digest = format!("{DOMAIN}/my-org/api@{DIGEST}");
        let both = format!("{tag} {digest}");
        let unless = format!("{tag}?");
        let image = "application/vnd.docker.container.image.v1+json";
        let no_types = json!({"manifest-media-type": null, "artifact-media-type": null});
        let table = [
            ("push", json!({}), tag.as_str()),
            ("push without media types", no_types, &tag),
            ("push without a tag", json!({"image-tag": null}), "skip"),
            ("push with unknown fields", json!({"surprise": {"a": [1]}}), &tag),
            ("delete", json!({"action-type": "DELETE"}), &both),
            ("delete without a tag", json!({"action-type": "DELETE", "image-tag": null}), &digest),
            (
                "delete with an empty tag",
                json!({"action-type": "DELETE", "image-tag": ""}),
                &digest,
            ),
            (
                "replication",
                json!({"detail-type": "ECR Replication Action", "action-type": "REPLICATE"}),
                &tag,
            ),
            ("push of an image", json!({"artifact-media-type": image}), &unless),
            (
                "delete of an image",
                json!({"action-type": "DELETE", "artifact-media-type": image}),
                &unless,
            ),
            (
                "push of an image without a tag",
                json!({"image-tag": null, "artifact-media-type": image}),
                "skip",
            ),
            ("failed push", json!({"result": "FAILURE"}), "skip"),
            (
                "other type",
                json!({"detail-type": "ECR Image Scan", "detail": {"scan-status": "COMPLETE"}}),
                "skip",
            ),
            ("other source", json!({"source": "aws.s3"}), "skip"),
            ("other account", json!({"account": "999999999999"}), "skip"),
            ("repository that is not selected", json!({"repository-name": "my-org/x/y"}), "skip"),
            ("tag outside the grammar", json!({"image-tag": "a b"}), "skip"),
            ("account outside the grammar", json!({"account": "evil.example/"}), "error"),
            ("region outside the grammar", json!({"region": "us-east-1.evil.example"}), "error"),
            ("repository outside the grammar", json!({"repository-name": "../../x"}), "error"),
            ("digest outside the grammar", json!({"image-digest": "md5:0"}), "error"),
            ("unknown action", json!({"action-type": "ARCHIVE"}), &both),
            ("no detail", json!({"detail": null}), "error"),
        ];
        for (name, changes, expected) in table {
            assert_eq!(in_words(&event(&changes).to_string()), expected, "{name}");
        }
    }

    /// Case from the field 21.
    #[test]
    fn event_of_any_type_and_action_names_its_references() {
        let tag = format!("{DOMAIN}/my-org/api:1.0.0");
        let digest = format!("{DOMAIN}/my-org/api@{DIGEST}");
        let both = format!("{tag} {digest}");
        let table = [
            ("type without a schema", json!({"detail-type": "ECR Artifact Action"}), tag.as_str()),
            ("event without a result", json!({"result": null}), &tag),
            (
                "archived digest",
                json!({"action-type": "UPDATE_STORAGE_CLASS", "image-tag": null}),
                &digest,
            ),
            ("event without an action", json!({"action-type": null}), &both),
            (
                "several tags",
                json!({"image-tag": null, "image-tags": ["1.0.0", "a b", "2.0.0"]}),
                &format!("{tag} {DOMAIN}/my-org/api:2.0.0"),
            ),
            ("empty media type", json!({"artifact-media-type": ""}), &tag),
            ("event without a repository", json!({"repository-name": null}), "skip"),
            (
                "delete with a tag outside the grammar",
                json!({"action-type": "DELETE", "image-tag": "a b"}),
                &digest,
            ),
        ];
        for (name, changes, expected) in table {
            assert_eq!(in_words(&event(&changes).to_string()), expected, "{name}");
        }
    }

    /// Case from the field 20.
    #[test]
    fn event_in_an_envelope_of_sns_is_decoded() {
        let notification = json!({
            "Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:ecr",
            "Message": event(&json!({})).to_string(),
        });
        assert_eq!(in_words(&notification.to_string()), format!("{DOMAIN}/my-org/api:1.0.0"));
    }

    /// Hostile input 36.
    #[test]
    fn body_that_is_not_an_event_is_an_error() {
        let twice = Value::String(event(&json!({})).to_string()).to_string();
        for body in ["", "not JSON", "{}", "[]", "null", &"x".repeat(256 * 1024), &twice] {
            assert!(decode_for(body, None).is_err(), "{body:.40} was decoded");
        }
    }

    #[test]
    fn created_at_is_the_time_of_the_push() {
        let Ok(Decoded::Look(hints)) = decode_for(&event(&json!({})).to_string(), None) else {
            panic!("not decoded")
        };
        let push = hints[0].push.as_ref().unwrap();
        assert_eq!(push.pushed_at.unix_timestamp(), 1_794_794_074);
        assert_eq!(push.digest.as_str(), DIGEST);
    }
}
