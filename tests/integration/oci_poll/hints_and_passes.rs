//! Hints beside passes: those that ask for one, a registry that is closed, and a deletion that
//! races.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::domain::Digest;

use crate::support::fake_registry::FakeRegistry;
use crate::support::hints::{batch_of, hint, hinted};
use crate::support::lease::{edit_cursor, edit_lease, milliseconds_from_now};
use crate::support::oci_poll::{available, charts, list, numbers, poll};
use crate::support::stack::{Stack, failed};

fn look_at_all() -> Value {
    hinted(&json!({"instance": "test"}))
}

/// Moves the start of the last pass back, as if time had passed.
async fn let_a_minute_pass(stack: &Stack) {
    let earlier = |state: &mut Value| {
        state["last_pass_at"] = json!(state["last_pass_at"].as_i64().unwrap() - 61_000);
    };
    edit_cursor(stack, earlier).await;
}

#[tokio::test]
async fn hint_without_a_repository_makes_a_pass_at_most_once_a_minute() {
    let stack = Stack::new().await;
    let (fake, mut tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    tags.push("2.0.0".to_owned());
    list(&fake, &tags);
    fake.chart("a", "2.0.0", "new");
    let batch = batch_of(&[look_at_all(), look_at_all()]);
    assert_eq!(function.invoke(&batch).await.unwrap(), failed(&[]));
    assert_eq!(fake.count("", "/_catalog"), 1, "the first pass began a moment ago");
    let_a_minute_pass(&stack).await;
    // Another process, because the first one has its cursor in memory.
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&batch).await.unwrap(), failed(&[]));
    assert_eq!((fake.count("", "/_catalog"), available(&stack).await), (2, 2));
}

#[tokio::test]
async fn hint_without_a_repository_is_dropped_while_a_pass_is_under_way() {
    let stack = Stack::new().await;
    let (fake, _) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let_a_minute_pass(&stack).await;
    let held = [("held", AttributeValue::Bool(true)), ("held_until", milliseconds_from_now(60))];
    edit_lease(&stack, &held).await;
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&batch_of(&[look_at_all()])).await.unwrap(), failed(&[]));
    assert_eq!(fake.count("", "/_catalog"), 1);
    assert!(function.log().concat().contains("a pass is under way"));
}

#[tokio::test]
async fn hints_for_a_registry_that_asks_to_be_left_alone_are_dropped_without_a_request() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.close_after("/v2/", 0);
    poll(&function, &fake).await;
    let asked = fake.asked().len();
    // Another process knows it only from the cursor.
    for function in [function, stack.oci_poll().await] {
        let batch = batch_of(&[hint("a", Some(&tags[0])), hint("a", None)]);
        assert_eq!(function.invoke(&batch).await.unwrap(), failed(&[]));
        assert!(function.log().concat().contains("hints dropped"));
    }
    assert_eq!(fake.asked().len(), asked);
}

/// Fault 49.
#[tokio::test]
async fn chart_that_is_deleted_while_a_hint_reads_it_becomes_unavailable() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    list(&fake, &[]);
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let layer = tests::chart::plain();
    fake.chart("a", "1.0.0", "x");
    fake.blob("a", Digest::sha256(&layer).as_str(), layer).gated();
    let hinted = stack.oci_poll().await;
    let batch = batch_of(&[hint("a", Some("1.0.0"))]);
    let pass = async {
        fake.wait_for("/blobs/").await;
        fake.absent("a", "1.0.0");
        let summary = poll(&function, &fake).await;
        fake.open();
        summary
    };
    let (followed, passed) = tokio::join!(hinted.invoke(&batch), pass);
    assert_eq!((followed.unwrap(), numbers(&passed)), (failed(&[]), (0, 0, 0)));
    assert_eq!(available(&stack).await, 1);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
}

/// Fault 49.
#[tokio::test]
async fn tag_that_a_hint_saw_absent_is_looked_at_under_an_unchanged_list() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.absent("a", &tags[0]);
    list(&fake, &tags[1..]);
    let batch = batch_of(&[hint("a", Some(&tags[0]))]);
    assert_eq!(function.invoke(&batch).await.unwrap(), failed(&[]));
    assert_eq!(available(&stack).await, 1);
    // The tag is pushed again, and that webhook is lost.
    list(&fake, &tags);
    fake.chart("a", &tags[0], "again");
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    assert_eq!(available(&stack).await, 2);
}
