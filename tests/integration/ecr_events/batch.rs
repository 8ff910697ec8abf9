//! Batches of `ecr-events`: which messages fail, and which rows repeated and concurrent batches
//! write.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::domain::Digest;

use crate::support::ecr_messages::push;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, count, failed};

#[tokio::test]
async fn sample_batch_fails_only_by_its_bad_message() {
    let stack = Stack::new().await;
    let sample = tests::tools::workspace().join("events/ecr-events-sqs-batch.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let answer = stack.ecr_events().await.invoke(&sample).await.unwrap();
    assert_eq!(answer, failed(&["059f36b4-87a3-44ab-83d2-661970000001"]));
}

/// Case from the field 20.
#[tokio::test]
async fn sample_in_an_envelope_of_sns_makes_a_chart() {
    let stack = Stack::new().await;
    let digest = stack.pusher.push_chart("my-org/payments-api", "1.0.0", "a").await.unwrap();
    let sample: Value =
        serde_json::from_str(include_str!("../../../events/ecr-events-sns.json")).unwrap();
    assert_eq!(stack.ecr_events().await.invoke(&sample).await.unwrap(), failed(&[]));
    let row = format!("ECR my-org/payments-api payments-api 1.0.0 {digest} available");
    assert_eq!(stack.charts().await, [row]);
}

/// Hostile input 36.
#[tokio::test]
async fn only_the_bad_message_of_ten_fails() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let mut messages = Vec::new();
    for n in 0..9 {
        let tag = format!("1.{n}.0");
        let digest = stack.pusher.push_chart("my-org/api", &tag, &tag).await.unwrap();
        messages.push(push("my-org/api", &tag, &digest));
    }
    messages.insert(4, "not JSON".to_owned());
    let mut events = batch(&messages);
    assert_eq!(function.invoke(&events).await.unwrap(), failed(&["m4"]));
    assert_eq!(stack.charts().await.len(), 9);
    // These bodies and attributes are not strings. Attributes do not matter.
    events["Records"][4]["body"] = json!({"detail": [1]});
    events["Records"][5]["attributes"] = json!("none");
    let moved = stack.pusher.push_chart("my-org/api", "1.4.0", "moved").await.unwrap();
    assert_eq!(function.invoke(&events).await.unwrap(), failed(&["m4"]));
    let available = format!("ECR my-org/api api 1.4.0 {moved} available");
    assert!(stack.charts().await.contains(&available), "the message with odd attributes is read");
}

/// Fault 12.
#[tokio::test]
async fn repeated_batches_of_four_functions_make_the_same_rows() {
    let stack = Stack::new().await;
    let mut messages = Vec::new();
    let mut expected = BTreeSet::new();
    for n in 0..5 {
        let digest = stack
            .pusher
            .push_chart("my-org/api", &format!("1.{n}.0"), &format!("{n}"))
            .await
            .unwrap();
        messages.push(push("my-org/api", &format!("1.{n}.0"), &digest));
        expected.insert(format!("ECR my-org/api api 1.{n}.0 {digest} available"));
        let digest = stack.pusher.push_chart(&format!("team-{n}/web"), "1.0.0", "w").await.unwrap();
        messages.push(push(&format!("team-{n}/web"), "1.0.0", &digest));
    }
    let events = batch(&messages);
    let four = [
        stack.ecr_events().await,
        stack.ecr_events().await,
        stack.ecr_events().await,
        stack.ecr_events().await,
    ];
    let runs = four.iter().map(|function| async {
        for _ in 0..10 {
            assert_eq!(function.invoke(&events).await.unwrap(), failed(&[]));
        }
    });
    futures_util::future::join_all(runs).await;

    let charts = stack.charts().await;
    assert_eq!(charts.len(), 10, "{charts:?}");
    let api: BTreeSet<String> =
        charts.iter().filter(|chart| chart.contains("/api")).cloned().collect();
    assert_eq!(api, expected);
    assert!(charts.iter().all(|chart| chart.ends_with("available")), "{charts:?}");
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_registries").await, 6);
    // The kinds are "api" and "web" for the first team. For the other teams they are the full
    // names.
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM k8s_deployment_kinds").await, 6);
}

/// Fault 13.
#[tokio::test]
async fn two_concurrent_first_pushes_make_one_kind_and_one_registry() {
    let stack = Stack::new().await;
    let (one, other) = (stack.ecr_events().await, stack.ecr_events().await);
    let first = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let second = stack.pusher.push_chart("my-org/api", "2.0.0", "b").await.unwrap();
    let (first, second) = (
        batch(&[push("my-org/api", "1.0.0", &first)]),
        batch(&[push("my-org/api", "2.0.0", &second)]),
    );
    let (one, other) = tokio::join!(one.invoke(&first), other.invoke(&second));
    assert_eq!((one.unwrap(), other.unwrap()), (failed(&[]), failed(&[])));
    let counts = "SELECT (SELECT count(*) FROM k8s_deployment_kinds) * 100
        + (SELECT count(*) FROM helm_registries) * 10 + (SELECT count(*) FROM helm_charts)";
    assert_eq!(count(&stack.rows, counts).await, 112);
}

#[tokio::test]
async fn messages_of_a_batch_are_looked_up_concurrently() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let tags: Vec<String> = (0..10).map(|n| format!("1.{n}.0")).collect();
    for tag in &tags {
        fake.chart("my-org/api", tag, tag).gated();
    }
    let function = stack.ecr_events_at(&fake.url()).await;
    let messages: Vec<String> =
        tags.iter().map(|tag| push("my-org/api", tag, &Digest::sha256(b""))).collect();
    let messages = batch(&messages);
    let together = async {
        // The registry answers no request before it has received all of them.
        while fake.asked().len() < tags.len() {
            tokio::task::yield_now().await;
        }
        fake.open();
    };
    let (answer, ()) = tokio::join!(function.invoke(&messages), together);
    assert_eq!(answer.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await.len(), 10);
}

#[tokio::test]
async fn unknown_payload_is_refused_with_the_accepted_shapes() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    for payload in [json!({}), json!([]), json!("x"), json!({"records": []})] {
        let error = function.invoke(&payload).await.unwrap_err().to_string();
        assert!(error.contains("Records") && error.contains("EventBridge"), "{error}");
    }
    let nameless = json!({"Records": [{"body": "not JSON"}]});
    let error = function.invoke(&nameless).await.unwrap_err().to_string();
    assert!(error.contains("messageId"), "{error}");
}
