//! A rescan writes beside the passes, and the rows still converge.

use serde_json::json;
use shared::domain::Digest;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, let_faults_be_due, list, numbers, poll};
use crate::support::stack::{Stack, count, instance};

fn rescan(fake: &FakeRegistry, tag: &str) -> serde_json::Value {
    json!({"instance": instance(&fake.url()), "rescan": {"repository": "a", "tag": tag}})
}

/// Fault 49.
#[tokio::test]
async fn chart_that_is_deleted_while_a_rescan_reads_it_becomes_unavailable() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    list(&fake, &[]);
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    let layer = tests::chart::plain();
    fake.chart("a", "1.0.0", "x");
    fake.blob("a", Digest::sha256(&layer).as_str(), layer).gated();
    let rescanning = stack.oci_poll().await;
    let payload = rescan(&fake, "1.0.0");
    let pass = async {
        fake.wait_for("/blobs/").await;
        fake.absent("a", "1.0.0");
        let summary = poll(&function, &fake).await;
        fake.open();
        summary
    };
    let (rescanned, passed) = tokio::join!(rescanning.invoke(&payload), pass);
    assert_eq!(numbers(&rescanned.unwrap()), (1, 0, 0));
    assert_eq!(numbers(&passed), (0, 0, 0));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
    assert_eq!(available(&stack).await, 0);
}

/// Fault 49.
#[tokio::test]
async fn rescan_costs_the_next_pass_one_comparison_and_no_look() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    fake.catalog(&["a", "b"]);
    fake.tags("b", &["1.0.0"]);
    fake.chart("b", "1.0.0", "b");
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    function.invoke(&rescan(&fake, &tags[0])).await.unwrap();
    let asked = fake.asked().len();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(fake.asked().len(), asked + 3, "the catalog and two lists");
    let log = function.log();
    let noted = log.iter().filter(|line| line.contains("other writers changed repositories"));
    assert_eq!(noted.count(), 1);
    assert!(!log.iter().any(|line| line.contains("every list is compared")));
    poll(&function, &fake).await;
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM instance_changes").await, 0);
}

/// Fault 37. A look that a later one supersedes is done only if that one did the same work.
#[tokio::test]
async fn rescan_that_a_head_request_supersedes_reads_the_contents_all_the_same() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let spoil = "UPDATE helm_charts SET error = 'our fault';
        UPDATE helm_chart_contents SET error = 'our fault'";
    stack.rows.batch_execute(spoil).await.unwrap();
    let layer = tests::chart::plain();
    fake.blob("a", Digest::sha256(&layer).as_str(), layer).gated();
    let rescanning = stack.oci_poll().await;
    let payload = rescan(&fake, &tags[0]);
    let asked = fake.count("GET", "/blobs/");
    let pass = async {
        while fake.count("GET", "/blobs/") == asked {
            tokio::task::yield_now().await;
        }
        // Without a cursor, the poller verifies every tag and writes it as seen.
        stack.dynamodb.clear().await.unwrap();
        poll(&function, &fake).await;
        fake.open();
    };
    let (rescanned, ()) = tokio::join!(rescanning.invoke(&payload), pass);
    rescanned.unwrap();
    let wrong = "SELECT count(*) FROM helm_charts WHERE error IS NOT NULL";
    assert_eq!(count(&stack.rows, wrong).await, 0);
}

/// Fault 41.
#[tokio::test]
async fn deletion_whose_look_fails_is_tried_again_when_the_fault_is_due() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    list(&fake, &tags[1..]);
    let path = format!("/v2/a/manifests/{}", tags[0]);
    fake.answer(&path, json!({"errors": [{"code": "DENIED"}]})).status(403);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    let faults = "SELECT count(*) FROM reference_faults";
    for _pass in 0..2 {
        assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
        assert_eq!(count(&stack.rows, faults).await, 1, "the fault waits");
    }
    fake.absent("a", &tags[0]);
    let_faults_be_due(&stack).await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
    assert_eq!((available(&stack).await, count(&stack.rows, faults).await), (1, 0));
}
