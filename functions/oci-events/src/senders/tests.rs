//! What each sample of `events/` asks for, what other bodies ask for, and damaged bodies.

use axum::http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use shared::domain::{Digest, Repository, Tag};
use time::OffsetDateTime;

use super::read;
use crate::hint;
use crate::reading::{Asks, Reading};

macro_rules! samples {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../../events/oci-events-", $name, ".json")))),+]
    };
}

const SAMPLES: [(&str, &str); 19] = samples![
    "distribution",
    "harbor",
    "harbor-cloudevents",
    "zot",
    "github",
    "github-app",
    "gitea",
    "docker-hub",
    "quay",
    "azure",
    "event-grid",
    "google",
    "artifactory",
    "nexus",
    "gitlab",
    "ecr",
    "github-ping",
    "azure-ping",
    "event-grid-validation",
];

/// Returns the headers and the body of a sample.
fn sample(name: &str) -> (HeaderMap, String) {
    let (_, text) = SAMPLES.iter().find(|(sample, _)| *sample == name).unwrap();
    let event: Value = serde_json::from_str(text).unwrap();
    let header = |(name, value): (&String, &Value)| {
        (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())
    };
    let headers = event["headers"].as_object().unwrap().iter().map(header).collect();
    (headers, event["body"].as_str().unwrap().to_owned())
}

fn read_sample(name: &str) -> Reading {
    let (headers, body) = sample(name);
    read(&headers, body.as_bytes())
}

fn read_json(body: &Value) -> Reading {
    read(&HeaderMap::new(), body.to_string().as_bytes())
}

/// Returns the hints of a reading, without what they have in common.
fn hints(reading: Reading) -> Value {
    let Asks::Looks(mentions) = reading.asks else { return json!(format!("{:?}", reading.asks)) };
    let messages = hint::messages("sample", &mentions, OffsetDateTime::UNIX_EPOCH);
    let mut messages = serde_json::to_value(messages).unwrap();
    let hint = |message: &mut Value| {
        let mut hint = message["hint"].take();
        let common = ["instance", "receivedAt"]
            .map(|field| hint.as_object_mut().unwrap().remove(field).unwrap());
        assert_eq!(common, ["sample", "1970-01-01T00:00:00Z"]);
        hint
    };
    messages.as_array_mut().unwrap().iter_mut().map(hint).collect()
}

/// Returns the hint of a push of `1.2.3` with the digest of the samples.
fn pushed(repository: &str) -> Value {
    let digest = format!("sha256:{}", "ab".repeat(32));
    json!({"repository": repository, "tag": "1.2.3", "digest": digest,
        "sentAt": "2026-01-02T03:04:05Z"})
}

fn without(mut hint: Value, fields: &[&str]) -> Value {
    hint.as_object_mut().unwrap().retain(|field, _| !fields.contains(&field.as_str()));
    hint
}

#[test]
fn every_sample_becomes_its_hints() {
    let tea = || pushed("acme/tea");
    let mut of_key = [pushed("acme/tea"), pushed("tea")];
    of_key[0]["key"] = json!("oci-local");
    of_key[1]["key"] = json!("docker-h");
    let [artifactory, nexus] = of_key;
    let deleted = json!({"repository": "acme/sugar", "tag": "2.0.0",
        "sentAt": "2026-01-02T03:04:05Z"});
    for (name, shape, expected) in [
        ("distribution", "distribution", json!([deleted, tea()])),
        ("harbor", "harbor", json!([tea()])),
        ("harbor-cloudevents", "harbor", json!([tea()])),
        ("zot", "zot", json!([tea()])),
        ("github", "github", json!([without(tea(), &["sentAt"])])),
        ("github-app", "github", json!([without(tea(), &["sentAt"])])),
        ("gitea", "gitea", json!([without(tea(), &["digest"])])),
        ("docker-hub", "docker hub", json!([without(tea(), &["digest"])])),
        ("quay", "quay", json!([without(tea(), &["digest", "sentAt"])])),
        ("azure", "azure", json!([pushed("tea")])),
        ("event-grid", "event grid", json!([pushed("tea")])),
        ("google", "google", json!([pushed("p/r/tea")])),
        ("artifactory", "artifactory", json!([without(artifactory, &["digest", "sentAt"])])),
        ("nexus", "nexus", json!([without(nexus, &["digest"])])),
        ("gitlab", "distribution", json!([tea()])),
        ("ecr", "ecr", json!([tea()])),
        ("github-ping", "github", json!("Ping")),
        ("azure-ping", "azure", json!("Ping")),
        ("event-grid-validation", "event grid", json!("Echo(\"512d38b6\")")),
    ] {
        let reading = read_sample(name);
        assert_eq!(reading.shape, shape, "{name}");
        assert_eq!(hints(reading), expected, "{name}");
    }
}

/// Returns the body of a sample after a change to it.
fn changed(name: &str, place: &str, value: Value) -> Value {
    let mut body: Value = serde_json::from_str(&sample(name).1).unwrap();
    *body.pointer_mut(place).unwrap() = value;
    body
}

#[test]
fn bodies_that_change_no_tag_cause_no_hint() {
    for (name, place, value) in [
        ("azure", "/action", json!("pull")),
        ("azure", "/action", json!("mount")),
        ("azure", "/target/tag", json!("")),
        ("harbor", "/type", json!("PULL_ARTIFACT")),
        ("harbor", "/type", json!("SCANNING_COMPLETED")),
        ("github", "/package/package_type", json!("npm")),
        ("gitea", "/package/type", json!("helm")),
        ("artifactory", "/event_type", json!("cached")),
        ("nexus", "/component/format", json!("maven2")),
        ("ecr", "/detail-type", json!("ECR Image Scan")),
        ("ecr", "/detail/result", json!("FAILURE")),
        ("quay", "/repository", json!("Not A Name")),
        ("docker-hub", "/repository/repo_name", json!("../etc/passwd")),
    ] {
        let body = changed(name, place, value);
        assert_eq!(hints(read_json(&body)), json!([]), "{body}");
    }
}

#[test]
fn bodies_that_do_not_say_what_changed_ask_for_the_whole_instance() {
    for body in [
        changed("harbor", "/type", json!("TAG_RETENTION")),
        changed("artifactory", "/domain", json!("release_bundle")),
        changed("gitea", "/package/owner", Value::Null),
        changed("github", "/package/name", json!("")),
        changed("gitlab", "/events/0/target/repository", json!("")),
        changed("gitlab", "/events/0/action", json!("")),
        json!({"events": ["a"]}),
        json!({"a": "b"}),
        json!("text"),
        json!([{"a": "b"}]),
        Value::Null,
    ] {
        assert_eq!(hints(read_json(&body)), json!("Pass"), "{body}");
    }
    assert_eq!(hints(read(&HeaderMap::new(), b"\xff")), json!("Pass"));
    let nested = "[".repeat(100_000);
    assert_eq!(hints(read(&HeaderMap::new(), nested.as_bytes())), json!("Pass"));
}

#[test]
fn only_what_is_said_once_is_in_the_hint() {
    let mut body: Value = serde_json::from_str(&sample("gitlab").1).unwrap();
    let mut other = body["events"][0].clone();
    other["target"]["tag"] = json!("1.2.4");
    body["events"].as_array_mut().unwrap().push(other);
    assert_eq!(hints(read_json(&body)), json!([without(pushed("acme/tea"), &["tag"])]));

    let digest = format!("sha256:{}", "ab".repeat(32));
    let untagged = changed("harbor", "/event_data/resources/0/tag", json!(digest));
    assert_eq!(hints(read_json(&untagged)), json!([without(pushed("acme/tea"), &["tag"])]));
    let invalid = changed("quay", "/updated_tags/0", json!("not a tag"));
    assert_eq!(hints(read_json(&invalid)), json!([{"repository": "acme/tea"}]));
}

#[test]
fn deletion_does_not_have_the_time_of_the_creation() {
    let deleted = changed("gitea", "/action", json!("deleted"));
    let expected = json!([without(pushed("acme/tea"), &["digest", "sentAt"])]);
    assert_eq!(hints(read_json(&deleted)), expected);
}

#[test]
fn events_in_event_grids_own_schema_are_read() {
    let cloud: Value = serde_json::from_str(&sample("event-grid").1).unwrap();
    let own = json!([{
        "id": "u1", "eventType": cloud[0]["type"], "subject": "tea:1.2.3", "dataVersion": "2.0",
        "eventTime": cloud[0]["time"], "data": cloud[0]["data"],
    }]);
    let reading = read_json(&own);
    assert_eq!(reading.shape, "event grid");
    assert_eq!(hints(reading), json!([pushed("tea")]));
}

#[test]
fn manifests_among_the_assets_of_nexus_are_hints() {
    let asset = |name: &str, action: &str| {
        let asset = json!({"id": "a1", "format": "docker", "name": name});
        json!({"repositoryName": "docker-h", "action": action, "asset": asset})
    };
    let expected = json!([{"repository": "acme/tea", "key": "docker-h", "tag": "1.2.3"}]);
    for name in ["v2/acme/tea/manifests/1.2.3", "/v2/acme/tea/manifests/1.2.3"] {
        assert_eq!(hints(read_json(&asset(name, "CREATED"))), expected, "{name}");
        assert_eq!(hints(read_json(&asset(name, "DELETED"))), expected, "{name}");
        assert_eq!(hints(read_json(&asset(name, "UPDATED"))), json!([]), "{name}");
    }
    let blob = asset("/v2/-/blobs/sha256:ab", "CREATED");
    assert_eq!(hints(read_json(&blob)), json!([]));
}

#[test]
fn body_with_many_repositories_asks_for_the_whole_instance() {
    let event = |index| {
        let target = json!({"repository": format!("a/{index}"), "tag": "1"});
        json!({"action": "push", "target": target})
    };
    for (count, expected) in [(100, 100), (101, 1)] {
        let events: Vec<Value> = (0..count).map(event).collect();
        let asked = hints(read_json(&json!({"events": events})));
        assert_eq!(asked.as_array().unwrap().len(), expected);
    }
}

#[test]
fn form_carries_the_body_in_a_field() {
    let (mut headers, body) = sample("github");
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let form =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &body).finish();
    let expected = json!([without(pushed("acme/tea"), &["sentAt"])]);
    assert_eq!(hints(read(&headers, form.as_bytes())), expected);
}

#[test]
fn other_event_of_a_forge_causes_no_hint() {
    let (mut headers, _) = sample("gitea");
    headers.insert("x-github-event", "push".parse().unwrap());
    assert_eq!(hints(read(&headers, br#"{"ref":"refs/heads/main"}"#)), json!([]));
}

/// Replaces a random value somewhere in a body.
fn damage(value: &mut Value, random: &mut fastrand::Rng) {
    let child = match value {
        Value::Array(list) if !list.is_empty() => {
            let place = random.usize(..list.len());
            list.get_mut(place)
        }
        Value::Object(fields) if !fields.is_empty() => {
            let place = random.usize(..fields.len());
            fields.values_mut().nth(place)
        }
        _ => None,
    };
    match child {
        Some(child) if random.u8(..) < 200 => damage(child, random),
        _ => {
            *value = match random.u8(..10) {
                0 => Value::Null,
                1 => json!(-1),
                2 => json!(u64::MAX),
                3 => json!(""),
                4 => json!("/:@ä\u{0}"),
                5 => json!([value.take()]),
                6 => json!({"": value.take()}),
                7 => json!("9999-99-99T99:99:99Z"),
                8 => json!("A".repeat(300)),
                _ => json!({}),
            }
        }
    }
}

/// A law: whatever is sent, the names in the hints are valid.
#[test]
fn damaged_bodies_give_valid_hints_only() {
    let mut random = fastrand::Rng::with_seed(21);
    let mut given = 0;
    for _ in 0..2_000 {
        for (name, _) in SAMPLES {
            let (headers, text) = sample(name);
            let mut body: Value = serde_json::from_str(&text).unwrap();
            damage(&mut body, &mut random);
            let mut bytes = body.to_string().into_bytes();
            if random.bool() {
                let place = random.usize(..bytes.len());
                bytes[place] = random.u8(..);
            }
            for hint in hints(read(&headers, &bytes)).as_array().into_iter().flatten() {
                given += 1;
                let text = |field: &str| hint.get(field).map(|text| text.as_str().unwrap());
                assert!(text("repository").unwrap().parse::<Repository>().is_ok(), "{hint}");
                assert!(text("tag").is_none_or(|tag| tag.parse::<Tag>().is_ok()), "{hint}");
                let digest = text("digest");
                assert!(digest.is_none_or(|digest| digest.parse::<Digest>().is_ok()), "{hint}");
                assert_ne!(text("sentAt"), Some(""), "{hint}");
            }
        }
    }
    assert!(given > 1_000, "{given}");
}
