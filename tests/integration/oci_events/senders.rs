//! The samples of all senders, and a real registry as a sender.

use serde_json::{Value, json};
use tests::helm;
use tests::registry::{Registry, Webhook};
use tests::tools::workspace;

use super::{SECRET, WebhookSite, push_to};

/// Returns the samples of `oci-events` by name.
fn samples() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(workspace().join("events")).unwrap();
    let sample = |file: std::fs::DirEntry| {
        let name = file.file_name().into_string().unwrap();
        let name = name.strip_prefix("oci-events-")?.strip_suffix(".json")?.to_owned();
        Some((name, serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap()))
    };
    files.filter_map(|file| sample(file.unwrap())).collect()
}

#[tokio::test]
async fn every_sample_is_proved_and_reaches_the_queue() {
    let site = WebhookSite::new().await;
    let samples = samples();
    assert!(samples.len() >= 19);
    for (name, event) in samples {
        let (status, hints) = match name.as_str() {
            // Its token cannot be in a file, because tokens expire.
            "google" => (401, 0),
            "azure-ping" | "github-ping" | "event-grid-validation" => (200, 0),
            "distribution" => (202, 2),
            _ => (202, 1),
        };
        let answer = site.function.invoke(&event).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name}: {answer}");
        let sent = site.hints().await;
        assert_eq!(sent.len(), hints, "{name}: {sent:?}");
        assert!(sent.iter().all(|hint| hint["instance"] == "sample"), "{sent:?}");
        if name == "event-grid-validation" {
            assert_eq!(answer["body"], "{\"validationResponse\":\"512d38b6\"}");
        }
        let mut forged = event.clone();
        forged["body"] = json!(format!("{} ", event["body"].as_str().unwrap()));
        let signed = ["github", "github-app", "github-ping", "gitea"].contains(&name.as_str());
        let answer = site.function.invoke(&forged).await.unwrap();
        assert_eq!(answer["statusCode"], if signed { 401 } else { status }, "{name}: {answer}");
        site.hints().await;
    }
    assert!(!site.function.log().concat().contains(SECRET));
}

#[tokio::test]
async fn push_to_a_real_registry_reaches_the_queue() {
    let site = WebhookSite::new().await;
    let url = format!("{}/sample", site.endpoint.url());
    let webhook = Webhook { url: &url, authorization: &format!("Bearer {SECRET}") };
    let registry = Registry::start_notifying(&webhook).await.unwrap();
    helm::push_sample("hello", "0.1.0", registry.host(), "demo").await.unwrap();
    let received = site.moto.receive(&site.queue, 20).await.unwrap();
    let hint = &received[0]["hint"];
    assert_eq!((&hint["repository"], &hint["tag"]), (&json!("demo/hello"), &json!("0.1.0")));
    assert!(hint["digest"].is_string() && hint["sentAt"].is_string(), "{hint}");

    // The registry notifies of this pull, and then of the push. The pull causes no hint.
    let folder = tempfile::tempdir().unwrap();
    let reference = format!("oci://{}/demo/hello:0.1.0", registry.host());
    helm::pull(&reference, folder.path()).await.unwrap();
    helm::push_sample("orders", "1.0.0", registry.host(), "demo").await.unwrap();
    let received = site.moto.receive(&site.queue, 20).await.unwrap();
    assert_eq!(received[0]["hint"]["repository"], "demo/orders", "{received:?}");
}

#[tokio::test]
async fn hint_has_exactly_the_fields_of_the_contract() {
    let site = WebhookSite::new().await;
    assert_eq!(site.post(push_to("acme/tea")).await, 202);
    let mut hint = site.hints().await.remove(0);
    let received_at = hint.as_object_mut().unwrap().remove("receivedAt").unwrap();
    let format = &time::format_description::well_known::Rfc3339;
    let received_at = time::OffsetDateTime::parse(received_at.as_str().unwrap(), format).unwrap();
    assert!((time::OffsetDateTime::now_utc() - received_at).unsigned_abs().as_secs() < 60);
    assert_eq!(hint, json!({"instance": "sample", "repository": "acme/tea", "tag": "1.0.0"}));

    assert_eq!(site.post("what is this?").await, 202);
    let mut hint = site.hints().await.remove(0);
    hint.as_object_mut().unwrap().remove("receivedAt").unwrap();
    assert_eq!(hint, json!({"instance": "sample"}));
    assert!(site.function.log().concat().contains("\"shape\":\"not JSON\""));
}
