//! Stamps in the future: the database's clock was ahead, and came back.

use serde_json::json;
use shared::domain::Digest;
use tests::function::Function;

use crate::support::assert_summary::assert_summary;
use crate::support::ecr_messages::{delete, push};
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, list, numbers, poll, wait};
use crate::support::passing_time::move_times;
use crate::support::stack::{Stack, batch, count, failed};

/// Moves every stamp of the observations a day into the future.
async fn put_clock_back(stack: &Stack) {
    let sql = "UPDATE observations SET observed_at = now() + interval '1 day',
        changed_at = now() + interval '1 day', missing_since = missing_since + interval '1 day'";
    stack.rows.execute(sql, &[]).await.unwrap();
}

async fn stamps_in_the_future(stack: &Stack) -> i64 {
    let sql = "SELECT count(*) FROM observations
        WHERE greatest(observed_at, changed_at, missing_since) > clock_timestamp()";
    count(&stack.rows, sql).await
}

async fn handle(function: &Function, message: String) {
    assert_eq!(function.invoke(&batch(&[message])).await.unwrap(), failed(&[]));
}

#[tokio::test]
async fn event_takes_effect_although_the_stored_stamps_are_in_the_future() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("a", "1.0.0", "a").await.unwrap();
    let pushed = push("a", "1.0.0", &digest);
    handle(&function, pushed.clone()).await;
    let row = |state| format!("ECR a a 1.0.0 {digest} {state}");

    put_clock_back(&stack).await;
    stack.pusher.delete("a", &digest).await.unwrap();
    handle(&function, delete("a", Some("1.0.0"), &digest)).await;
    assert_eq!(stack.charts().await, [row("gone")]);
    assert_eq!(stamps_in_the_future(&stack).await, 0);

    // The look at the digest is a doubt about the tag.
    put_clock_back(&stack).await;
    stack.pusher.push_chart("a", "1.0.0", "a").await.unwrap();
    handle(&function, pushed).await;
    assert_eq!(stack.charts().await, [row("available")]);
}

#[tokio::test]
async fn stamp_in_the_future_brings_no_deleted_row_back() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest: Digest = stack.pusher.push_chart("a", "1.0.0", "a").await.unwrap();
    handle(&function, push("a", "1.0.0", &digest)).await;
    stack.rows.execute("DELETE FROM helm_charts", &[]).await.unwrap();
    put_clock_back(&stack).await;
    for _ in 0..2 {
        handle(&function, push("a", "1.0.0", &digest)).await;
    }
    assert_eq!(stack.charts().await, Vec::<String>::new());
    assert_eq!(stamps_in_the_future(&stack).await, 0);
}

#[tokio::test]
async fn hold_with_a_stamp_in_the_future_starts_again() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    put_clock_back(&stack).await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 11, 0));
    assert_eq!(available(&stack).await, 19);
}

#[tokio::test]
async fn charts_that_return_lose_a_hold_in_the_future() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    put_clock_back(&stack).await;
    list(&fake, &tags);
    for tag in &tags {
        fake.chart("a", tag, tag);
    }
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    // The marks are worth nothing. The next disappearance starts a new hold.
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
}

/// Fault 29.
#[tokio::test]
async fn repositories_and_tags_that_failed_under_a_clock_ahead_are_looked_at() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    fake.catalog(&["a", "b"]);
    fake.tags("b", &[]).status(403);
    fake.answer("/v2/a/manifests/2.0.0", json!({})).status(403);
    let first = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(first, added = 1, waiting = 2, complete = false);
    move_times(&stack, 24 * 3600, &["a", "b"]).await;
    fake.tags("b", &["1.0.0"]);
    fake.chart("b", "1.0.0", "b");
    fake.chart("a", "2.0.0", "a");
    let second = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(second, added = 2, waiting = 0, complete = true);
}

/// Fault 29.
#[tokio::test]
async fn tags_are_verified_after_a_clock_ahead() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    poll(&stack.oci_poll().await, &fake).await;
    move_times(&stack, 24 * 3600, &["a"]).await;
    fake.chart("a", &tags[0], "moved");
    assert_eq!(numbers(&poll(&stack.oci_poll().await, &fake).await), (1, 1, 0));
}

/// Fault 29.
#[tokio::test]
async fn scan_that_a_clock_ahead_dated_is_made_again() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    fake.tags("a", &[]).status(429).header("retry-after", "3600");
    poll(&stack.oci_poll().await, &fake).await;
    move_times(&stack, 24 * 3600, &["a"]).await;
    list(&fake, &tags);
    let summary = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(summary, added = 2, errors = json!([]), complete = true);
}
