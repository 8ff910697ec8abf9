//! Events that arrive before the registry shows what they report, or while another event about the
//! same tag is being handled.

use serde_json::{Value, json};
use shared::domain::Digest;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::ecr_messages::{delete, push, push_image};
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, event, failed};

/// Returns a batch of one message that SQS delivers for the `received`th time.
fn received(body: &str, received: u8) -> Value {
    let mut batch = batch(&[body.to_owned()]);
    batch["Records"][0]["attributes"] = json!({"ApproximateReceiveCount": received.to_string()});
    batch
}

/// Returns a push that happened this long ago.
fn push_of(digest: &Digest, seconds_ago: i64) -> Value {
    let mut event = event("PUSH", "my-org/api", Some("1.0.0"), digest);
    let at = OffsetDateTime::now_utc() - time::Duration::seconds(seconds_ago);
    event["time"] = json!(at.format(&Rfc3339).unwrap());
    event
}

#[tokio::test]
async fn absence_right_after_a_push_is_asked_again_before_it_is_believed() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let invoke = async |message: Value| function.invoke(&message).await.unwrap();
    let digest = Digest::sha256(b"not visible yet");
    let fresh = push_of(&digest, 1).to_string();
    assert_eq!(invoke(received(&fresh, 1)).await, failed(&["m0"]));
    assert_eq!(invoke(received(&fresh, 2)).await, failed(&[]), "the second absence is believed");
    let old = push_of(&digest, 90).to_string();
    assert_eq!(invoke(received(&old, 1)).await, failed(&[]), "it had time to become visible");

    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    assert_eq!(invoke(received(&fresh, 2)).await, failed(&[]));
    let row = format!("ECR my-org/api api 1.0.0 {digest}");
    assert_eq!(stack.charts().await, [format!("{row} available")]);

    // An absence that is not believed yet changes no row.
    stack.pusher.delete("my-org/api", &digest).await.unwrap();
    assert_eq!(invoke(received(&fresh, 1)).await, failed(&["m0"]));
    assert_eq!(stack.charts().await, [format!("{row} available")]);
    assert_eq!(invoke(received(&fresh, 2)).await, failed(&[]));
    assert_eq!(stack.charts().await, [format!("{row} gone")]);
}

/// Fault 30.
#[tokio::test]
async fn push_that_becomes_visible_within_seconds_needs_no_second_delivery() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}});
    let digest = Digest::sha256(chart.to_string().as_bytes());
    let absent = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
    fake.answer("/v2/my-org/api/manifests/1.0.0", absent).status(404).then(chart);
    let function = stack.ecr_events_at(&fake.url()).await;
    let fresh = received(&push_of(&digest, 1).to_string(), 1);
    assert_eq!(function.invoke(&fresh).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {digest} available")]);
}

/// Fault 31.
#[tokio::test]
async fn second_look_is_made_although_another_message_hangs() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
    let digest = Digest::sha256(image.to_string().as_bytes());
    fake.chart("my-org/api", "1.0.0", "a").then(image);
    fake.answer("/v2/my-org/web/manifests/1.0.0", json!({})).hang();
    let function = stack.ecr_events_at(&fake.url()).await;
    let messages = ["my-org/api", "my-org/web"].map(|name| push(name, "1.0.0", &digest));
    let within = std::time::Duration::from_secs(10);
    let answer = function.invoke_within(&batch(&messages), within).await.unwrap();
    assert_eq!(answer, failed(&["m1"]));
    let charts = stack.charts().await;
    assert!(charts.len() == 1 && charts[0].ends_with(" gone"), "{charts:?}");
}

/// Invokes the function with a push of a second ago and a deletion of its tag, which happened this
/// many seconds ago. The registry has neither tag nor digest.
async fn push_and_deletion(seconds_ago: i64) -> Value {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = Digest::sha256(b"deleted already");
    let mut messages = received(&push_of(&digest, 1).to_string(), 1);
    let deleted = delete("my-org/api", Some("1.0.0"), &digest);
    let mut deleted: Value = serde_json::from_str(&deleted).unwrap();
    deleted["time"] = push_of(&digest, seconds_ago)["time"].clone();
    let mut deleted = batch(&[deleted.to_string()]);
    deleted["Records"][0]["messageId"] = json!("m1");
    messages["Records"].as_array_mut().unwrap().push(deleted["Records"][0].take());
    function.invoke(&messages).await.unwrap()
}

#[tokio::test]
async fn deletion_after_a_fresh_push_is_believed() {
    assert_eq!(push_and_deletion(-1).await, failed(&[]));
}

#[tokio::test]
async fn deletion_before_a_fresh_push_does_not_explain_its_absence() {
    assert_eq!(push_and_deletion(30).await, failed(&["m0"]));
}

/// Fault 30.
#[tokio::test]
async fn push_over_a_chart_is_asked_again_while_the_registry_shows_the_old_one() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let function = stack.ecr_events_at(&fake.url()).await;
    fake.chart("my-org/api", "1.0.0", "old");
    let pushed = push_of(&fake.digest("my-org/api", "1.0.0"), 1).to_string();
    assert_eq!(function.invoke(&received(&pushed, 1)).await.unwrap(), failed(&[]));
    fake.chart("my-org/api", "1.0.0", "new");
    let digest = fake.digest("my-org/api", "1.0.0");
    let pushed = push_of(&digest, 1).to_string();
    fake.chart("my-org/api", "1.0.0", "old");
    assert_eq!(function.invoke(&received(&pushed, 1)).await.unwrap(), failed(&["m0"]));
    let old = stack.charts().await;
    assert_eq!(function.invoke(&received(&pushed, 2)).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await, old, "the second answer is believed");
    fake.chart("my-org/api", "1.0.0", "new");
    assert_eq!(function.invoke(&received(&pushed, 2)).await.unwrap(), failed(&[]));
    let row = format!("ECR my-org/api api 1.0.0 {digest} available");
    assert!(stack.charts().await.contains(&row));
}

#[tokio::test]
async fn image_pushed_over_a_chart_of_the_same_batch_retires_it() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
    let digest = Digest::sha256(image.to_string().as_bytes());
    fake.chart("my-org/api", "1.0.0", "a").then(image);
    let function = stack.ecr_events_at(&fake.url()).await;
    let chart = Digest::sha256(b"any");
    let messages =
        [push("my-org/api", "1.0.0", &chart), push_image("my-org/api", "1.0.0", &digest)];
    assert_eq!(function.invoke(&batch(&messages)).await.unwrap(), failed(&[]));
    let charts = stack.charts().await;
    assert!(charts.len() == 1 && charts[0].ends_with(" gone"), "{charts:?}");
}

#[tokio::test]
async fn image_pushed_while_another_function_opens_the_chart_retires_it() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let layer = tests::chart::plain();
    let blob = Digest::sha256(&layer).to_string();
    fake.chart("my-org/api", "1.0.0", "a");
    fake.blob("my-org/api", &blob, layer).gated();
    let (one, other) =
        (stack.ecr_events_at(&fake.url()).await, stack.ecr_events_at(&fake.url()).await);
    let pushed = batch(&[push("my-org/api", "1.0.0", &Digest::sha256(b"any"))]);
    let overwrite = async {
        fake.wait_for("/blobs/").await;
        let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
        let digest = Digest::sha256(image.to_string().as_bytes());
        fake.answer("/v2/my-org/api/manifests/1.0.0", image);
        let overwritten = batch(&[push_image("my-org/api", "1.0.0", &digest)]);
        assert_eq!(other.invoke(&overwritten).await.unwrap(), failed(&[]));
        fake.open();
    };
    let (answer, ()) = tokio::join!(one.invoke(&pushed), overwrite);
    assert_eq!(answer.unwrap(), failed(&[]));
    let charts = stack.charts().await;
    assert!(charts.len() == 1 && charts[0].ends_with(" gone"), "{charts:?}");
}
