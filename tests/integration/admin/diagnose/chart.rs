//! The diagnosis says what is wrong with a chart, with its tag, or with its digest.

use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::chart::{self, Archive};

use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart, place, step};
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::instance;

#[tokio::test]
async fn manifest_of_another_artifact_is_named() {
    let fake = one_chart().await;
    answer_manifest(&fake, with_config("application/vnd.acme.config.v1+json"));
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    let config = "application/vnd.acme.config.v1+json";
    site.expect(&reference, "manifest", config, CONFIG_MEDIA_TYPE).await;
    for image in [
        with_config("application/vnd.oci.image.config.v1+json"),
        json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}),
    ] {
        answer_manifest(&fake, image);
        site.expect(&reference, "manifest", "container image", "helm push").await;
    }
    // A chart replaces the image under the same tag. The poller has not noticed that yet.
    fake.chart("team/api", "1.0.0", "x");
    let cause =
        site.expect(&reference, "row", "the tag had another digest", "look at freshness").await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn mistyped_tag_is_answered_with_the_right_one() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    for mistyped in ["1.0.O", "v1.0.0"] {
        fake.absent("team/api", mistyped);
        let reference = format!("{}:{mistyped}", place(&fake));
        let detail = format!("no tag {mistyped}");
        site.expect(&reference, "tag", &detail, "the repository has 1.0.0.").await;
    }
}

#[tokio::test]
async fn broken_chart_is_repaired_by_a_new_version() {
    let fake = one_chart().await;
    let broken = Archive::new().file("chart/values.yaml", "x: 1\n").pack();
    fake.tags("team/api", &["1.0.0", "1.1.0"]);
    fake.chart_of_size("team/api", "1.1.0", &broken, broken.len());
    let site = DiagnosisSite::polling(&fake).await;
    let reference = format!("{}:1.1.0", place(&fake));
    let detail = "the archive has no Chart.yaml";
    site.expect(&reference, "contents", detail, "under a new version").await;
    assert_eq!(
        step(&site.ask(&reference).await, "row")["detail"],
        "The row has this digest. It is available, and shown as BROKEN."
    );
    fake.tags("team/api", &["1.0.0", "1.1.0", "1.1.1"]);
    fake.chart("team/api", "1.1.1", "y");
    let repaired = format!("{}:1.1.1", place(&fake));
    site.expect(&repaired, "row", "discovery has not looked at the tag", "wait for 1 minute").await;
    site.poll(&instance(&fake.url())).await;
    site.expect_ok(&repaired).await;
}

#[tokio::test]
async fn missing_layer_is_repaired_by_a_push() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    fake.tags("team/api", &["2.0.0"]);
    let layer = json!({"mediaType": CHART_MEDIA_TYPE, "digest": Digest::sha256(b"2").to_string(),
        "size": chart::plain().len()});
    fake.answer(
        "/v2/team/api/manifests/2.0.0",
        json!({"config": {"mediaType": CONFIG_MEDIA_TYPE}, "layers": [layer]}),
    );
    let reference = format!("{}:2.0.0", place(&fake));
    site.expect(&reference, "contents", "/blobs/", "Push the chart again").await;
    fake.chart("team/api", "2.0.0", "z");
    site.poll(&instance(&fake.url())).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn reference_needs_no_tag() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    site.expect_ok(&place(&fake)).await;
}

#[tokio::test]
async fn manifest_with_another_digest_is_named() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let stored = "SELECT image_digest FROM helm_charts WHERE image_tag = '1.0.0'";
    let digest: String = site.stack.rows.query_one(stored, &[]).await.unwrap().get(0);
    fake.answer(&format!("/v2/team/api/manifests/{digest}"), json!({}));
    let reference = format!("{}@{digest}", place(&fake));
    let detail = "bytes of digest";
    site.expect(&reference, "manifest", detail, "not what a registry answers").await;
}

fn answer_manifest(fake: &FakeRegistry, manifest: Value) {
    fake.answer("/v2/team/api/manifests/1.0.0", manifest);
}

/// Returns a manifest whose config has another media type than a chart's.
fn with_config(media_type: &str) -> Value {
    json!({"config": {"mediaType": media_type}, "layers": []})
}
