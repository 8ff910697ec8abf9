//! What a person may ask of `oci-poll` beside the schedule: a pass now, and what is to become of
//! the tags that are held back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::forget_closed;
use crate::support::oci_poll::{available, charts, list, numbers, poll, wait};
use crate::support::stack::{Stack, count, instance};

const SHORT: Duration = Duration::from_secs(10);

fn asked(fake: &FakeRegistry, field: &str, value: bool) -> Value {
    json!({"instance": instance(&fake.url()), field: value})
}

fn polled_every(interval: &str, fake: &FakeRegistry) -> Value {
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!(interval);
    instance
}

#[tokio::test]
async fn pass_that_is_asked_for_begins_at_once_and_is_the_only_one() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    let function = stack.oci_poll().await;
    list(&fake, &tags[1..]);
    let rarely = polled_every("1h", &fake);
    assert_summary!(function.invoke(&rarely).await.unwrap(), passes = 1, added = 1);
    list(&fake, &tags);
    assert_summary!(function.invoke(&rarely).await.unwrap(), passes = 0);
    for (instance, added) in [(rarely, 1), (polled_every("10ms", &fake), 0)] {
        let now = json!({"instance": instance, "now": true});
        let summary = function.invoke(&now).await.unwrap();
        assert_summary!(summary, passes = 1, added = added, complete = true);
    }
}

#[tokio::test]
async fn pass_that_is_asked_for_follows_an_interrupted_one() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    fake.tags("a", &[]).status(429).header("retry-after", "3600");
    let instance = polled_every("1h", &fake);
    let summary = function.invoke_within(&instance, SHORT).await.unwrap();
    assert_summary!(summary, passes = 1, complete = false);
    forget_closed(&stack).await;
    list(&fake, &tags);
    let now = json!({"instance": instance, "now": true});
    let summary = stack.oci_poll().await.invoke(&now).await.unwrap();
    assert_summary!(summary, passes = 2, added = 1, complete = true);
}

#[tokio::test]
async fn pass_that_is_asked_for_names_the_holder_of_the_lease() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.chart("a", "1.0.0", "x").gated();
    let name = [("AWS_LAMBDA_LOG_STREAM_NAME", "the first")];
    let (first, second) = (stack.oci_poll_with(&name).await, stack.oci_poll().await);
    let scheduled = instance(&fake.url());
    let other = async {
        fake.wait_for("/manifests/").await;
        let now = asked(&fake, "now", true);
        let summary = second.invoke_within(&now, SHORT).await.unwrap();
        fake.open();
        summary
    };
    let (_, summary) = tokio::join!(first.invoke(&scheduled), other);
    assert_summary!(summary, passes = 0, complete = false);
    assert!(summary["errors"][0].as_str().unwrap().contains("the first"), "{summary}");
}

/// Lets eleven of thirty charts disappear, which are then held back.
async fn held_back(stack: &Stack) -> (FakeRegistry, Vec<String>) {
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    (fake, tags)
}

#[tokio::test]
async fn release_applies_what_the_registry_still_confirms() {
    let stack = Stack::new().await;
    let (fake, tags) = held_back(&stack).await;
    // One chart is back, and the registry refuses to tell about another.
    fake.chart("a", &tags[0], &tags[0]);
    let denied = json!({"errors": [{"code": "DENIED"}]});
    fake.answer(&format!("/v2/a/manifests/{}", tags[1]), denied).status(403);
    let function = stack.oci_poll().await;
    let release = asked(&fake, "release", true);
    let summary = function.invoke(&release).await.unwrap();
    assert_summary!(summary, tags = 11, unavailable = 9, held = 1, complete = false);
    assert!(summary["errors"][0].as_str().unwrap().contains("403"), "{summary}");
    assert_eq!(available(&stack).await, 21);

    // Harbor's answer for a deleted tag does not confirm the absence by itself.
    let not_found = json!({"errors": [{"code": "NOT_FOUND"}]});
    fake.answer(&format!("/v2/a/manifests/{}", tags[1]), not_found).status(404);
    let summary = function.invoke(&release).await.unwrap();
    assert_summary!(summary, tags = 1, unavailable = 1, held = 0, complete = true);
    assert_summary!(function.invoke(&release).await.unwrap(), tags = 0, complete = true);
    list(&fake, &[&tags[..1], &tags[11..]].concat());
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(available(&stack).await, 20);
}

#[tokio::test]
async fn refused_release_clears_the_marks_and_begins_the_hold_again() {
    let stack = Stack::new().await;
    let (fake, tags) = held_back(&stack).await;
    fake.chart("a", &tags[0], &tags[0]);
    wait(&stack, "59 minutes").await;
    let function = stack.oci_poll().await;
    let refuse = asked(&fake, "release", false);
    let summary = function.invoke(&refuse).await.unwrap();
    assert_summary!(summary, tags = 11, unavailable = 0, held = 10, complete = true);
    wait(&stack, "59 minutes").await;
    list(&fake, &[&tags[..1], &tags[11..]].concat());
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 10));
    wait(&stack, "1 minute").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 10, 0));
}

#[tokio::test]
async fn release_without_enough_time_says_how_much_is_still_held_back() {
    let stack = Stack::new().await;
    let (fake, tags) = held_back(&stack).await;
    fake.answer(&format!("/v2/a/manifests/{}", tags[10]), json!({})).hang();
    let function = stack.oci_poll().await;
    let release = asked(&fake, "release", true);
    let summary = function.invoke_within(&release, SHORT).await.unwrap();
    assert_summary!(summary, unavailable = 10, held = 1, complete = false);
    assert!(summary["errors"][0].as_str().unwrap().contains("before the end"), "{summary}");
    let marked = "SELECT count(*) FROM observations WHERE missing_since IS NOT NULL";
    assert_eq!(count(&stack.rows, marked).await, 1);
}
