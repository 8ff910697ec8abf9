//! The lease of an instance. Only one invocation at a time polls the instance, despite wrong
//! clocks, paused processes and lost answers.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::assert_summary::assert_summary;
use crate::support::aws_proxy::{AwsProxy, Fault};
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::{edit_lease, lease, milliseconds_from_now};
use crate::support::stack::{Stack, count, instance};

const SHORT: Duration = Duration::from_secs(3);

/// Fault 15.
#[tokio::test]
async fn one_of_two_concurrent_invocations_polls_and_the_other_names_it() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.chart("a", "1.0.0", "x").gated();
    let name = [("AWS_LAMBDA_LOG_STREAM_NAME", "the first")];
    let (first, second) = (stack.oci_poll_with(&name).await, stack.oci_poll().await);
    let instance = instance(&fake.url());
    let polling = async { first.invoke(&instance).await.unwrap() };
    let other = async {
        fake.wait_for("/manifests/").await;
        let summary = second.invoke_within(&instance, SHORT).await.unwrap();
        fake.open();
        summary
    };
    let (first, second) = tokio::join!(polling, other);
    assert_summary!(first, added = 1, complete = true);
    assert_summary!(second, passes = 0, complete = false);
    assert!(second["errors"][0].as_str().unwrap().contains("the first"), "{second}");
    assert_eq!(fake.count("GET", "/v2/_catalog"), 1);
    // The second invocation did not poll, so it writes no error to the health.
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM discovery_instances WHERE last_error IS NULL")
            .await,
        1
    );
}

/// Fault 16.
#[tokio::test]
async fn holder_that_was_paused_past_its_lease_cannot_write() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.chart("a", "1.0.0", "x").gated();
    let (first, second) = (stack.oci_poll().await, stack.oci_poll().await);
    let instance = instance(&fake.url());
    let paused = async { first.invoke(&instance).await };
    let other = async {
        fake.wait_for("/manifests/").await;
        first.signal("STOP").await.unwrap();
        edit_lease(&stack, &[("held_until", milliseconds_from_now(-3600))]).await;
        fake.open();
        let summary = second.invoke(&instance).await.unwrap();
        assert_summary!(summary, added = 1, complete = true);
        let cursor = (lease(&stack).await, stack.cursor_items().await, stack.charts().await);
        first.signal("CONT").await.unwrap();
        cursor
    };
    let (outcome, cursor) = tokio::join!(paused, other);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("the lease was lost to"), "{error}");
    assert_eq!((lease(&stack).await, stack.cursor_items().await, stack.charts().await), cursor);
}

/// Fault 17.
#[tokio::test]
async fn lost_answer_to_a_lease_write_makes_the_poller_read_the_lease() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    for tags in [&["1.0.0"][..], &["1.0.0", "2.0.0"], &["2.0.0"]] {
        fake.tags("a", tags);
        fake.chart("a", "2.0.0", "x");
        fake.absent("a", if tags.len() == 1 && tags[0] == "2.0.0" { "1.0.0" } else { "0" });
        // These requests acquire the lease, and release it with or without entries.
        proxy.spoil("UpdateItem", Fault::LoseAnswer, 2);
        proxy.spoil("TransactWriteItems", Fault::LoseAnswer, 1);
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, complete = true, errors = json!([]));
    }
    assert_eq!(lease(&stack).await["held"], AttributeValue::Bool(false));
}

/// Fault 18.
#[tokio::test]
async fn clock_skew_neither_ends_a_live_lease_nor_keeps_a_dead_one() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let function = stack.oci_poll().await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    // The holder is alive, because its counter rises. Its clock is five minutes slow, so its lease
    // looks expired.
    let text = AttributeValue::S("another process".to_owned());
    let values = |seconds| {
        [
            ("held", AttributeValue::Bool(true)),
            ("held_until", milliseconds_from_now(seconds)),
            ("owner", text.clone()),
        ]
    };
    edit_lease(&stack, &values(-290)).await;
    let summary = function.invoke_within(&instance(&fake.url()), SHORT).await.unwrap();
    assert_eq!(summary["passes"], 0, "{summary}");
    assert!(summary["errors"][0].as_str().unwrap().contains("another process"), "{summary}");
    // The holder is dead, because its counter does not change. Its clock is five minutes fast, so
    // its lease looks valid for a long time.
    edit_lease(&stack, &values(310)).await;
    let began = std::time::Instant::now();
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, passes = 1, complete = true);
    assert!(began.elapsed() > Duration::from_secs(14), "a lease lasts 15 s without a sign of life");
}

/// Fault 17.
#[tokio::test]
async fn late_renewal_is_not_mistaken_for_the_release() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let function = stack.oci_poll().await;
    fake.chart("a", "1.0.0", "x").gated();
    let url = instance(&fake.url());
    let polling = async { function.invoke(&url).await.unwrap() };
    let other = async {
        fake.wait_for("/manifests/").await;
        // The process has written this renewal, but does not know it, because the answer was lost
        // and the caller was cancelled.
        let stored = lease(&stack).await;
        let counter: u64 = stored["counter"].as_n().unwrap().parse().unwrap();
        edit_lease(&stack, &[("counter", AttributeValue::N((counter + 1).to_string()))]).await;
        fake.open();
    };
    let (summary, ()) = tokio::join!(polling, other);
    assert_summary!(summary, added = 1, complete = true);
    assert_eq!(
        (lease(&stack).await["held"].clone(), stack.cursor_items().await.len()),
        (AttributeValue::Bool(false), 16)
    );
}

#[tokio::test]
async fn holder_that_cannot_renew_its_lease_stops_before_another_may_take_it() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.chart("a", "1.0.0", "x").gated();
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    let url = instance(&fake.url());
    let hang = async {
        fake.wait_for("/manifests/").await;
        proxy.spoil("UpdateItem", Fault::Swallow, 99);
    };
    let (outcome, ()) = tokio::join!(function.invoke(&url), hang);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("the lease could not be renewed for 15 s"), "{error}");
    assert_eq!(stack.charts().await.len(), 0);
}
