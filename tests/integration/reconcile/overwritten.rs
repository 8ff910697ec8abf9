//! A tag that held a chart resolves to something that cannot be read, or to nothing that is a
//! manifest.

use serde_json::{Value, json};
use shared::domain::Digest;

use crate::support::ecr_messages::push;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, let_faults_be_due, list, numbers, poll};
use crate::support::stack::{Stack, batch, failed};

const TAG: &str = "/v2/a/manifests/1.0.0";

/// Makes the tag `a:1.0.0` resolve to a manifest over 4 MiB.
fn overwrite_with_a_large_manifest(fake: &FakeRegistry) {
    let padding = "x".repeat(5 * 1024 * 1024);
    fake.answer(TAG, json!({"schemaVersion": 2, "annotations": {"padding": padding}}));
}

/// Makes the tag `a:1.0.0` resolve to a digest that the client cannot verify.
fn overwrite_with_another_algorithm(fake: &FakeRegistry) {
    let digest = format!("sha384:{}", "0".repeat(96));
    fake.answer(TAG, json!({"schemaVersion": 2})).header("docker-content-digest", &digest);
}

const OVERWRITES: [fn(&FakeRegistry); 2] =
    [overwrite_with_a_large_manifest, overwrite_with_another_algorithm];

#[tokio::test]
async fn event_about_a_manifest_past_a_limit_retires_the_old_chart() {
    for overwrite in OVERWRITES {
        let stack = Stack::new().await;
        let fake = FakeRegistry::start().await;
        fake.chart("a", "1.0.0", "a");
        let function = stack.ecr_events_at(&fake.url()).await;
        let pushed = batch(&[push("a", "1.0.0", &Digest::sha256(b"any"))]);
        function.invoke(&pushed).await.unwrap();
        assert_eq!(available(&stack).await, 1);
        overwrite(&fake);
        assert_eq!(function.invoke(&pushed).await.unwrap(), failed(&[]));
        assert_eq!(available(&stack).await, 0);
        fake.chart("a", "1.0.0", "a");
        assert_eq!(function.invoke(&pushed).await.unwrap(), failed(&[]));
        assert_eq!(available(&stack).await, 1, "the chart is back");
    }
}

#[tokio::test]
async fn poll_of_a_manifest_past_a_limit_retires_the_old_chart() {
    for overwrite in OVERWRITES {
        let stack = Stack::new().await;
        let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
        let function = stack.oci_poll().await;
        assert_eq!(numbers(&poll(&function, &fake).await), (2, 0, 0));
        overwrite(&fake);
        // Without a cursor, the poller verifies every tag.
        stack.dynamodb.clear().await.unwrap();
        let summary = poll(&function, &fake).await;
        assert_eq!(numbers(&summary), (0, 1, 0), "{summary}");
        assert_eq!(summary["skipped"], json!(1), "{summary}");
        assert_eq!(available(&stack).await, 1);
        assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    }
}

#[tokio::test]
async fn body_that_is_no_manifest_retires_no_chart() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let maintenance = json!({"status": "maintenance"});
    for body in [maintenance, json!([]), json!({}), json!({"errors": []}), Value::Null] {
        for tag in &tags {
            fake.answer(&format!("/v2/a/manifests/{tag}"), body.clone());
        }
        // The list lacks two tags, and the poller verifies every tag that is left.
        list(&fake, &tags[2..]);
        stack.dynamodb.clear().await.unwrap();
        let_faults_be_due(&stack).await;
        let summary = poll(&function, &fake).await;
        assert_eq!(numbers(&summary), (0, 0, 0), "{body}: {summary}");
        assert_eq!(summary["complete"], json!(false), "{body}: {summary}");
        assert_eq!(available(&stack).await, 3, "{body}");
    }
}
