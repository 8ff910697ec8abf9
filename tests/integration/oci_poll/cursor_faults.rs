//! `oci-poll` crashes before it writes its cursor, or DynamoDB fails.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::support::assert_summary::assert_summary;
use crate::support::aws_proxy::{AwsProxy, Fault};
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::{edit_lease, milliseconds_from_now};
use crate::support::stack::{Stack, count, instance};

/// Fault 19.
#[tokio::test]
async fn pass_without_dynamodb_ends_with_an_error_and_keeps_the_cursor() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    let cursor = stack.cursor_items().await;
    let cold = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    for (operation, function) in
        [("GetItem", &function), ("UpdateItem", &function), ("Query", &cold)]
    {
        proxy.spoil(operation, Fault::Throttle, 8);
        let error = function.invoke(&instance(&fake.url())).await.unwrap_err().to_string();
        assert!(
            error.contains("CURSOR_TABLE") && error.contains("slow down") && !error.contains('\n'),
            "{error}"
        );
        assert_eq!(stack.cursor_items().await, cursor, "{operation}");
        edit_lease(&stack, &[("held", AttributeValue::Bool(false))]).await;
    }
    let health = "SELECT count(*) FROM discovery_instances WHERE last_error LIKE '%CURSOR_TABLE%' \
                  AND last_summary IS NOT NULL";
    assert_eq!(count(&stack.rows, health).await, 1);

    let away = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")]).await;
    let error = away.invoke(&instance(&fake.url())).await.unwrap_err().to_string();
    assert!(error.contains("CURSOR_TABLE") && !error.contains('\n'), "{error}");
    // Once DynamoDB answers again, the next pass uses the cursor as it was.
    let manifests = fake.count("GET", "/manifests/");
    assert_eq!(
        stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap()["complete"],
        true
    );
    assert_eq!(fake.count("GET", "/manifests/"), manifests);
}

/// Fault 21.
#[tokio::test]
async fn crash_between_rows_and_cursor_is_harmless() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    proxy.spoil("TransactWriteItems", Fault::Swallow, 9);
    let crashing = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    let instance = instance(&fake.url());
    let crash = async {
        proxy.wait_for("TransactWriteItems").await;
        crashing.signal("KILL").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(crashing.invoke(&instance), crash);
    assert!(outcome.is_err());
    let rows = stack.charts().await;
    assert_eq!((rows.len(), stack.cursor_items().await.len()), (2, 0));
    edit_lease(&stack, &[("held_until", milliseconds_from_now(-3600))]).await;
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, complete = true, added = 0, manifests = 0);
    assert_eq!(stack.charts().await, rows);
}

/// Fault 21.
#[tokio::test]
async fn rows_written_and_undone_between_two_cursors_are_noticed() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    // The invocation writes a deletion, and is killed before it writes its cursor.
    fake.tags("a", &["2.0.0"]);
    fake.absent("a", "1.0.0");
    let crashing = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    proxy.spoil("TransactWriteItems", Fault::Swallow, 9);
    let url = instance(&fake.url());
    let crash = async {
        proxy.wait_for("TransactWriteItems").await;
        crashing.signal("KILL").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(crashing.invoke(&url), crash);
    assert!(outcome.is_err());
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await, 1);
    // The tag returns, so the list is again the one in the stored cursor.
    fake.tags("a", &["1.0.0", "2.0.0"]);
    fake.chart("a", "1.0.0", "1.0.0");
    edit_lease(&stack, &[("held_until", milliseconds_from_now(-3600))]).await;
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
}

#[tokio::test]
async fn cancelled_transaction_is_repeated() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    for reason in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        proxy.spoil("TransactWriteItems", Fault::Cancel(reason), 2);
    }
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 1, complete = true, errors = serde_json::json!([]));
    let calls = proxy.calls().iter().filter(|call| *call == "TransactWriteItems").count();
    assert_eq!(calls, 7);
}
