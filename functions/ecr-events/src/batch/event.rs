//! Decodes ECR's events in EventBridge's envelope. An event is only a hint: it names a repository,
//! a tag and a digest to look at.

use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use shared::domain::{Account, Digest, Reference, Region, Registry, Repository, Subject, Tag};
use shared::helm::is_helm_config;
use shared::reconcile::{Hint, Push};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Says what an event asks for.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// Asks for nothing. A retry would not change that.
    Skip(String),
    /// Asks for a lookup of these references.
    Look(Vec<Hint>),
    /// Asks for a lookup of this tag if its row is available. The event names no chart, so any
    /// other tag needs no lookup.
    LookIfAvailable(Hint),
}

/// EventBridge's envelope, with the fields that the function uses. Other fields are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EcrEvent {
    source: String,
    detail_type: String,
    account: String,
    region: String,
    time: Option<String>,
    detail: serde_json::Value,
}

/// The detail of `ECR Image Action` and `ECR Replication Action`. The samples in AWS's
/// documentation lack the media types. A tag is present only if the request named one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    result: String,
    action_type: String,
    repository_name: String,
    image_digest: Option<String>,
    image_tag: Option<String>,
    artifact_media_type: Option<String>,
}

/// Decodes one event. `accounts` lists the accounts whose events are accepted; empty means all. The
/// registry may not show yet what was pushed since `fresh_since`.
///
/// # Errors
/// Fails if the body is not an ECR event, or if it names something that cannot exist.
pub(crate) fn decode(
    body: &str,
    accounts: &[Account],
    fresh_since: Option<OffsetDateTime>,
) -> anyhow::Result<Decoded> {
    let event: EcrEvent =
        serde_json::from_str(body).context("the message is not an EventBridge event")?;
    if event.source != "aws.ecr" {
        return Ok(Decoded::Skip(format!("an event of {:?}", event.source)));
    }
    if !matches!(event.detail_type.as_str(), "ECR Image Action" | "ECR Replication Action") {
        return Ok(Decoded::Skip(format!("an event of type {:?}", event.detail_type)));
    }
    let account: Account = event.account.parse()?;
    let region: Region = event.region.parse()?;
    if !accounts.is_empty() && !accounts.contains(&account) {
        return Ok(Decoded::Skip(format!("account {account} is not in ECR_ACCOUNTS")));
    }
    let detail: Detail =
        serde_json::from_value(event.detail).context("the event's detail is not ECR's")?;
    let pushed_at = event.time.and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok());
    // The time of an event may have a year that cannot be compared as a date.
    let is_fresh = pushed_at
        .zip(fresh_since)
        .is_some_and(|(pushed_at, since)| pushed_at.unix_timestamp() >= since.unix_timestamp());
    decode_detail(&detail, Registry::ecr(&account, &region)?, EventTime { pushed_at, is_fresh })
}

/// The time of an event.
#[derive(Clone, Copy)]
struct EventTime {
    pushed_at: Option<OffsetDateTime>,
    /// Whether the registry may not show the push yet.
    is_fresh: bool,
}

fn decode_detail(detail: &Detail, registry: Registry, time: EventTime) -> anyhow::Result<Decoded> {
    if detail.result != "SUCCESS" {
        return Ok(Decoded::Skip(format!("an action with the result {:?}", detail.result)));
    }
    let is_push = matches!(detail.action_type.as_str(), "PUSH" | "REPLICATE");
    let repository: Repository = detail.repository_name.parse()?;
    let digest: Option<Digest> = detail.image_digest.as_deref().map(str::parse).transpose()?;
    let tag: Option<Tag> =
        match detail.image_tag.as_deref().filter(|tag| !tag.is_empty()).map(str::parse) {
            None => None,
            Some(Ok(tag)) => Some(tag),
            Some(Err(error)) => return Ok(Decoded::Skip(error.to_string())),
        };

    let registry = Arc::new(registry);
    let hint = |reference, push| {
        let subject =
            Subject { registry: Arc::clone(&registry), repository: repository.clone(), reference };
        Hint { push, awaits_push: is_push && time.is_fresh, ..Hint::at(subject) }
    };
    let push = digest.clone().zip(time.pushed_at).filter(|_| is_push);
    let push = push.map(|(digest, pushed_at)| Push { digest, pushed_at });
    let tag = tag.map(|tag| hint(Reference::Tag(tag), push));
    // AWS does not document whether a deletion by digest sends one event per tag. So the function
    // also looks up the digest, and with it every tag whose row has that digest. An unknown action
    // may be a deletion too.
    let digest = digest.filter(|_| !is_push).map(|digest| hint(Reference::Digest(digest), None));

    if detail.artifact_media_type.as_deref().is_some_and(|media_type| !is_helm_config(media_type)) {
        return Ok(tag.map_or_else(
            || Decoded::Skip("no chart, no tag".to_owned()),
            Decoded::LookIfAvailable,
        ));
    }
    let hints: Vec<Hint> = tag.into_iter().chain(digest).collect();
    if hints.is_empty() {
        return Ok(Decoded::Skip("a push without a tag".to_owned()));
    }
    Ok(Decoded::Look(hints))
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

    /// Returns the references to look up as text, with `?` after one that is looked up only if it
    /// is available.
    fn in_words(body: &str) -> String {
        match decode(body, &["123456789012".parse().unwrap()], None) {
            Ok(Decoded::Skip(_)) => "skip".to_owned(),
            Ok(Decoded::Look(hints)) => {
                let subjects: Vec<String> =
                    hints.iter().map(|hint| hint.subject.to_string()).collect();
                subjects.join(" ")
            }
            Ok(Decoded::LookIfAvailable(hint)) => format!("{}?", hint.subject),
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
            (include_str!("../../../../events/ecr-image-scan.json"), "skip".to_owned()),
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

    /// Hostile input 36.
    #[test]
    fn body_that_is_not_an_event_is_an_error() {
        let twice = Value::String(event(&json!({})).to_string()).to_string();
        for body in ["", "not JSON", "{}", "[]", "null", &"x".repeat(256 * 1024), &twice] {
            assert!(decode(body, &[], None).is_err(), "{body:.40} was decoded");
        }
    }

    #[test]
    fn created_at_is_the_time_of_the_push() {
        let Ok(Decoded::Look(hints)) = decode(&event(&json!({})).to_string(), &[], None) else {
            panic!("not decoded")
        };
        let push = hints[0].push.as_ref().unwrap();
        assert_eq!(push.pushed_at.unix_timestamp(), 1_794_794_074);
        assert_eq!(push.digest.as_str(), DIGEST);
    }
}
