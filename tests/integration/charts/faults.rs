//! Faults of the network and of registries while a function reads charts. None of them makes a
//! chart BROKEN.

use serde_json::{Value, json};
use shared::domain::Digest;
use tests::chart;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{let_faults_be_due, poll};
use crate::support::stack::{Stack, count, instance};

fn layer_path(repository: &str) -> String {
    format!("/v2/{repository}/blobs/{}", Digest::sha256(&chart::plain()))
}

#[tokio::test]
async fn unavailable_layer_is_retried_and_breaks_no_chart() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    for (what, status) in [("a server error", 500), ("a missing blob", 404), ("no permission", 403)]
    {
        let fake = FakeRegistry::start().await;
        fake.catalog(&["a", "b"]);
        fake.tags("a", &["1.0.0"]);
        fake.tags("b", &["1.0.0"]);
        fake.chart("a", "1.0.0", what);
        fake.chart("b", "1.0.0", &format!("{what}, beside"));
        fake.answer(&layer_path("a"), json!({"errors": [{"code": "BLOB_UNKNOWN"}]})).status(status);
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, added = 1, broken = 0, complete = false);
        assert!(
            summary["errors"][0].as_str().unwrap().starts_with("a: cannot look up"),
            "{summary}"
        );
        fake.chart("a", "1.0.0", what);
        let_faults_be_due(&stack).await;
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, added = 1, complete = true, "{what}");
    }
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE error IS NOT NULL").await,
        0
    );
}

/// Hostile input 17.
#[tokio::test]
async fn layer_with_another_digest_is_refused() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    fake.chart("a", "1.0.0", "x");
    let other = chart::Archive::new()
        .file("x/Chart.yaml", "apiVersion: v2\nname: other\nversion: 1.0.0\n")
        .pack();
    fake.blob("a", Digest::sha256(&chart::plain()).as_str(), other);
    let function = stack.oci_poll().await;
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert!(
        summary["errors"][0].as_str().unwrap().contains("answered with bytes of digest"),
        "{summary}"
    );
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts").await, 0);
    fake.chart("a", "1.0.0", "x");
    let_faults_be_due(&stack).await;
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
}

#[tokio::test]
async fn layer_missing_in_one_repository_is_read_from_another() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a", "b"]);
    for repository in ["a", "b"] {
        fake.tags(repository, &["1.0.0"]);
        fake.chart(repository, "1.0.0", "the same");
    }
    fake.answer(&layer_path("a"), json!("")).status(404);
    let function = stack.oci_poll().await;
    let mut added = 0;
    for _ in 0..2 {
        added += function.invoke(&instance(&fake.url())).await.unwrap()["added"].as_u64().unwrap();
        let_faults_be_due(&stack).await;
    }
    // In either order, the second pass finds the contents of the digest in a row.
    assert_eq!(added, 2);
}

#[tokio::test]
async fn tag_moved_to_an_unreadable_chart_makes_the_old_row_unavailable() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    fake.chart("a", "1.0.0", "first");
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("50ms");
    instance["oci"]["verifyInterval"] = json!("100ms");
    let function = stack.oci_poll().await;
    let time = std::time::Duration::from_secs(2);
    assert_eq!(poll(&function, &fake).await["added"], 1);
    let missing = Digest::sha256(b"collected as garbage").to_string();
    fake.manifest("a", "1.0.0", &missing, 7);
    // Verification notices the move some passes later.
    let mut summary = Value::Null;
    for _ in 0..20 {
        summary = function.invoke_within(&instance, time).await.unwrap();
        if summary["unavailable"] != 0 {
            break;
        }
    }
    // The invocation may have made more passes. They retry an unreadable tag less and less often.
    assert_eq!(summary["unavailable"], 1, "{summary}");
    assert!(summary["errors"][0].as_str().unwrap().starts_with("a: cannot look up"), "{summary}");
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available OR error IS NOT NULL")
            .await,
        0
    );
    fake.chart("a", "1.0.0", "second");
    let mut added = json!(0);
    for _ in 0..20 {
        added = function.invoke_within(&instance, time).await.unwrap()["added"].clone();
        if added != 0 {
            break;
        }
    }
    assert_eq!(added, 1);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await, 1);
}

#[tokio::test]
async fn failed_rescan_changes_no_row() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    fake.chart("a", "1.0.0", "x");
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
    fake.answer(&layer_path("a"), json!("")).status(404);
    let rescan =
        json!({"instance": instance(&fake.url()), "rescan": {"repository": "a", "tag": "1.0.0"}});
    assert!(function.invoke(&rescan).await.unwrap_err().to_string().contains("404"));
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available AND error IS NULL")
            .await,
        1
    );
}

#[tokio::test]
async fn endless_layer_is_skipped_at_the_limit() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0", "2.0.0"]);
    fake.chart("a", "1.0.0", "x");
    let digest = Digest::sha256(b"endless").to_string();
    fake.answer(&format!("/v2/a/blobs/{digest}"), Value::Null).endless();
    fake.manifest("a", "2.0.0", &digest, 100);
    let function = stack.oci_poll().await;
    let before = function.memory_peak().unwrap();
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    // The bytes were not checked against a digest, so the chart is not BROKEN.
    assert_summary!(summary, added = 1, broken = 0);
    assert_eq!(summary["skipped"], 1);
    let said = function.log().into_iter().find(|line| line.contains("skipped")).unwrap();
    assert!(said.contains("more than 33554432 bytes"), "{said}");
    assert!(function.memory_peak().unwrap() - before < 64 << 20);
}

#[tokio::test]
async fn chart_without_a_readable_layer_is_named_by_its_config_blob() {
    let stack = Stack::new().await;
    let config =
        json!({"apiVersion": "v2", "name": "payments", "version": "1.2.3+b.1", "appVersion": "9"})
            .to_string();
    let config_digest = stack.pusher.push_blob("team/payments", config.as_bytes()).await.unwrap();
    let layer = stack.pusher.push_blob("team/payments", b"no archive").await.unwrap();
    let descriptor = |media_type: &str, digest: &Digest, size: usize| {
        json!({"mediaType":
        media_type, "digest": digest.as_str(), "size": size})
    };
    let config = descriptor(shared::helm::CONFIG_MEDIA_TYPE, &config_digest, config.len());
    for (tag, layers) in [
        ("1.0.0", json!([])),
        ("2.0.0", json!([descriptor(shared::helm::CHART_MEDIA_TYPE, &layer, 10)])),
    ] {
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        stack.pusher.put_manifest("team/payments", tag, &manifest).await.unwrap();
    }
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 2, broken = 2, complete = true);
    let told = "SELECT string_agg(concat_ws(' ', chart_name, chart_version, app_version, \
                left(chart.error, 30)), '; '
        ORDER BY image_tag)
        FROM helm_charts AS chart
        JOIN helm_chart_contents ON digest = image_digest";
    let told: String = stack.rows.query_one(told, &[]).await.unwrap().get(0);
    let expected = "payments 1.2.3+b.1 9 the manifest has no layer of t; payments 1.2.3+b.1 9 the \
                    chart layer is not an inta";
    assert_eq!(told, expected);
}
