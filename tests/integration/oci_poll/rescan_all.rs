//! A rescan of a whole instance. It reads every known chart again, and survives interruptions.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::forget_closed;
use crate::support::oci_poll::{available, charts, list, poll};
use crate::support::stack::{Stack, count, instance};

fn rescan(fake: &FakeRegistry) -> Value {
    json!({"instance": rarely_polled(fake), "rescan": {}})
}

fn rarely_polled(fake: &FakeRegistry) -> Value {
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("1h");
    instance["oci"]["maxConcurrency"] = json!(4);
    instance
}

#[tokio::test]
async fn rescan_of_an_instance_reads_every_chart_again() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(20).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // An older version had a bug that marked the rows, and one row was deleted by hand.
    let spoil = "DELETE FROM helm_charts WHERE image_tag = '1.7.0';
        UPDATE helm_charts SET error = 'our fault';
        UPDATE helm_chart_contents SET error = 'our fault'";
    stack.rows.batch_execute(spoil).await.unwrap();
    fake.absent("a", &tags[3]);
    let summary = function.invoke(&rescan(&fake)).await.unwrap();
    assert_summary!(summary, tags = 20, added = 1, unavailable = 1, left = 0, complete = true);
    let wrong = "SELECT count(*) FROM helm_charts WHERE available AND error IS NOT NULL";
    assert_eq!((available(&stack).await, count(&stack.rows, wrong).await), (19, 0));
    let under_way = "SELECT count(*) FROM discovery_instances WHERE progress ? 'rescan'";
    assert_eq!(count(&stack.rows, under_way).await, 0);
    // The rescan leaves the cursor as it is. The list still has the absent tag, so that the pass
    // looks at it once more.
    let asked = fake.count("GET", "/manifests/");
    poll(&function, &fake).await;
    assert_eq!(fake.count("GET", "/manifests/"), asked + 1);
    poll(&function, &fake).await;
    assert_eq!(fake.count("GET", "/manifests/"), asked + 1);
}

#[tokio::test]
async fn interrupted_rescan_is_resumed_by_the_schedule() {
    let stack = Stack::new().await;
    let (fake, mut tags) = charts(40).await;
    let function = stack.oci_poll().await;
    function.invoke(&rarely_polled(&fake)).await.unwrap();
    tags.sort();
    // The first page has 16 tags, and the sixth tag behind it hangs.
    let path = format!("/v2/a/manifests/{}", tags[21]);
    fake.answer(&path, json!({})).hang();
    let timeout = Duration::from_secs(10);
    let summary = function.invoke_within(&rescan(&fake), timeout).await.unwrap();
    assert_summary!(summary, left = 40 - 21, complete = false);
    assert!(summary["errors"][0].as_str().unwrap().contains("before the end"), "{summary}");

    fake.chart("a", &tags[21], &tags[21]);
    let asked = fake.count("GET", "/manifests/");
    // No pass is due, and the rescan continues in a new process.
    let summary = stack.oci_poll().await.invoke(&rarely_polled(&fake)).await.unwrap();
    assert_summary!(summary, passes = 0, errors = json!([]));
    assert_eq!(fake.count("GET", "/manifests/") - asked, 40 - 21);
    let under_way = "SELECT count(*) FROM discovery_instances WHERE progress ? 'rescan'";
    assert_eq!(count(&stack.rows, under_way).await, 0);
}

#[tokio::test]
async fn rescan_continues_behind_a_chart_that_cannot_be_read() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(20).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let denied = json!({"errors": [{"code": "DENIED"}]});
    fake.answer(&format!("/v2/a/manifests/{}", tags[0]), denied).status(403);
    let summary = function.invoke(&rescan(&fake)).await.unwrap();
    assert_summary!(summary, tags = 20, left = 0, complete = false);
    assert_eq!(summary["errors"].as_array().unwrap().len(), 1, "{summary}");
    assert_eq!(available(&stack).await, 20);
}

/// Puts a rescan under way that has read nothing yet.
async fn begin_rescan(stack: &Stack) {
    let sql = r#"UPDATE discovery_instances SET progress = '{"rescan": {"beganAt":
        "2026-11-22T12:00:00Z", "behind": {"repository": "", "tag": ""}}}'"#;
    stack.rows.batch_execute(sql).await.unwrap();
}

/// Case from the field 17.
#[tokio::test]
async fn closed_registry_is_left_alone_by_rescans_and_releases() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(20).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.tags("a", &[]).status(429).header("retry-after", "3600");
    let now = json!({"instance": rarely_polled(&fake), "now": true});
    let timeout = Duration::from_secs(5);
    function.invoke_within(&now, timeout).await.unwrap();
    begin_rescan(&stack).await;
    let asked = fake.asked().len();
    // Each invocation is one of another process, so that nothing is remembered in memory.
    stack.oci_poll().await.invoke_within(&rarely_polled(&fake), timeout).await.unwrap();
    let summary = stack.oci_poll().await.invoke_within(&rescan(&fake), timeout).await.unwrap();
    assert_summary!(summary, tags = 0, left = 20, complete = false);
    assert!(summary["errors"][0].as_str().unwrap().contains("closed until"), "{summary}");
    for (field, value) in [
        ("rescan", json!({"repository": "a", "tag": tags[0]})),
        ("release", json!(true)),
        ("release", json!(false)),
    ] {
        let payload = json!({"instance": rarely_polled(&fake), field: value});
        let error = stack.oci_poll().await.invoke(&payload).await.unwrap_err().to_string();
        assert!(error.contains("closed until"), "{payload}: {error}");
    }
    assert_eq!(fake.asked().len(), asked);

    list(&fake, &tags);
    forget_closed(&stack).await;
    let later = "UPDATE discovery_instances SET progress = progress #- '{rescan,closedUntil}'";
    stack.rows.execute(later, &[]).await.unwrap();
    assert_summary!(stack.oci_poll().await.invoke(&rescan(&fake)).await.unwrap(), left = 0);
}

/// Case from the field 17.
#[tokio::test]
async fn rescan_that_is_asked_to_wait_sends_no_request_until_then() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(20).await;
    let function = stack.oci_poll().await;
    function.invoke(&rarely_polled(&fake)).await.unwrap();
    let path = format!("/v2/a/manifests/{}", tags[0]);
    fake.answer(&path, json!({})).status(429).header("retry-after", "3600");
    let summary = function.invoke(&rescan(&fake)).await.unwrap();
    assert_summary!(summary, complete = false);
    let asked = fake.asked().len();
    for function in [&function, &stack.oci_poll().await] {
        let summary = function.invoke(&rarely_polled(&fake)).await.unwrap();
        assert_summary!(summary, passes = 0);
        assert_summary!(function.invoke(&rescan(&fake)).await.unwrap(), tags = 0, complete = false);
    }
    assert_eq!(fake.asked().len(), asked);
}
