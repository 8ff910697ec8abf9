//! A rescan of a whole instance. It reads every known chart again, and survives interruptions.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, poll};
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
    // The rescan leaves the cursor as it is.
    let asked = fake.count("GET", "/manifests/");
    poll(&function, &fake).await;
    assert_eq!(fake.count("GET", "/manifests/"), asked);
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
