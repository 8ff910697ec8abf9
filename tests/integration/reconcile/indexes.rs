//! Image indexes whose chart the registry does not have yet, as with replication and pull-through
//! caches.

use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};

use crate::support::ecr_messages::push;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, numbers, poll, wait};
use crate::support::stack::{Stack, batch, failed, instance};

/// A chart, and an index that lists it.
struct ServedIndex {
    chart: Value,
    path: String,
}

/// Makes the tag `a:1.0.0` resolve to an index. The registry does not have its chart.
fn serve_index(fake: &FakeRegistry) -> ServedIndex {
    let layer = tests::chart::plain();
    let blob = Digest::sha256(&layer).to_string();
    let chart = json!({
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG_MEDIA_TYPE},
        "layers": [{"mediaType": CHART_MEDIA_TYPE, "digest": blob, "size": layer.len()}],
    });
    let digest = Digest::sha256(chart.to_string().as_bytes()).to_string();
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    fake.blob("a", &blob, layer);
    let index = json!({"schemaVersion": 2, "manifests": [{"digest": digest, "size": 1}]});
    let index_digest = Digest::sha256(index.to_string().as_bytes());
    fake.answer("/v2/a/manifests/1.0.0", index)
        .header("docker-content-digest", index_digest.as_str())
        .header("content-type", "application/vnd.oci.image.index.v1+json");
    fake.absent("a", &digest);
    ServedIndex { chart, path: format!("/v2/a/manifests/{digest}") }
}

#[tokio::test]
async fn chart_that_comes_after_its_index_is_found_by_verification() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let indexed = serve_index(&fake);
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    let asked = fake.count("GET", "/manifests/");
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(fake.count("GET", "/manifests/"), asked, "not in every pass");

    fake.answer(&indexed.path, indexed.chart);
    // Without a cursor, the poller verifies every tag.
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    assert_eq!(available(&stack).await, 1);
}

#[tokio::test]
async fn index_whose_chart_is_gone_and_back_keeps_its_row() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let indexed = serve_index(&fake);
    let function = stack.ecr_events_at(&fake.url()).await;
    let pushed = batch(&[push("a", "1.0.0", &Digest::sha256(b"any"))]);
    let row = "SELECT string_agg(id::text || available, ' ') FROM helm_charts";
    let row = async || stack.rows.query_one(row, &[]).await.unwrap().get::<_, Option<String>>(0);
    let mut rows = Vec::new();
    for is_there in [true, false, true] {
        if is_there {
            fake.answer(&indexed.path, indexed.chart.clone());
        } else {
            fake.answer(&indexed.path, json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]}))
                .status(404);
        }
        assert_eq!(function.invoke(&pushed).await.unwrap(), failed(&[]));
        rows.push(row().await.unwrap());
    }
    assert_eq!(rows[1], rows[0].replace("true", "false"));
    assert_eq!(rows[2], rows[0]);
}

/// Case 3 from the field.
#[tokio::test]
async fn index_whose_chart_answers_another_404_is_held_back() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let indexed = serve_index(&fake);
    fake.answer(&indexed.path, indexed.chart);
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    fake.answer(&indexed.path, json!({"errors": [{"code": "NOT_FOUND"}]})).status(404);
    let rescan =
        json!({"instance": instance(&fake.url()), "rescan": {"repository": "a", "tag": "1.0.0"}});
    assert_eq!(numbers(&function.invoke(&rescan).await.unwrap()), (0, 0, 1));
    // No list shows what is in an index, so the poller believes it after the hold.
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&function.invoke(&rescan).await.unwrap()), (0, 1, 0));
}

/// Fault 36.
#[tokio::test]
async fn verification_of_an_index_looks_at_its_chart() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let indexed = serve_index(&fake);
    let function = stack.oci_poll().await;
    fake.answer(&indexed.path, indexed.chart.clone());
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    for (is_there, expected) in [(false, (0, 1, 0)), (true, (1, 0, 0)), (true, (0, 0, 0))] {
        if is_there {
            fake.answer(&indexed.path, indexed.chart.clone());
        } else {
            fake.answer(&indexed.path, json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]}))
                .status(404);
        }
        // Without a cursor, the poller verifies every tag.
        stack.dynamodb.clear().await.unwrap();
        assert_eq!(numbers(&poll(&function, &fake).await), expected, "there: {is_there}");
    }
}

/// Fault 36.
#[tokio::test]
async fn contents_without_their_config_blob_are_read_again() {
    let stack = Stack::new().await;
    let fakes = [FakeRegistry::start().await, FakeRegistry::start().await];
    let config = br#"{"name":"late","version":"1.0.0","apiVersion":"v2"}"#.to_vec();
    let config_digest = Digest::sha256(&config).to_string();
    let layer = tests::chart::Archive::new().file("late/values.yaml", "a: 1").pack();
    let layer_digest = Digest::sha256(&layer).to_string();
    for fake in &fakes {
        fake.catalog(&["a"]);
        fake.tags("a", &["1.0.0"]);
        fake.blob("a", &layer_digest, layer.clone());
        let layer =
            json!({"mediaType": CHART_MEDIA_TYPE, "digest": layer_digest, "size": layer.len()});
        let config = json!({"mediaType": CONFIG_MEDIA_TYPE, "digest": config_digest});
        let chart = json!({"config": config, "layers": [layer]});
        let digest = Digest::sha256(chart.to_string().as_bytes());
        fake.answer("/v2/a/manifests/1.0.0", chart)
            .header("docker-content-digest", digest.as_str());
    }
    let names = "SELECT coalesce(string_agg(chart_name || is_incomplete, ' '), 'none') FROM \
                 helm_chart_contents";
    let names = async || stack.rows.query_one(names, &[]).await.unwrap().get::<_, String>(0);
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fakes[0]).await), (1, 0, 0));
    assert_eq!(names().await, "none");
    // Another registry has the blob. What it says counts for the same digest everywhere.
    fakes[1].blob("a", &config_digest, config);
    let mut other = instance(&fakes[1].url());
    other["name"] = json!("other");
    assert_eq!(numbers(&function.invoke(&other).await.unwrap()), (1, 0, 0));
    assert_eq!(names().await, "latefalse");
    // The registry without the blob does not undo that.
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fakes[0]).await), (0, 0, 0));
    assert_eq!(names().await, "latefalse");
}
