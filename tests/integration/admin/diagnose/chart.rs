//! Names the defect of a chart.

use serde_json::{Value, json};
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::chart::{self, Archive};

use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart};
use crate::support::stack::instance;

/// A manifest that is no chart's, for the media type of its config.
fn manifest(config: &str) -> Value {
    json!({"config": {"mediaType": config}, "layers": []})
}

#[tokio::test]
async fn what_is_wrong_with_a_chart_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    let usual = instance(&url);
    let put = |manifest: Value| fake.answer("/v2/team/api/manifests/1.0.0", manifest);
    put(manifest("application/vnd.acme.config.v1+json"));
    desk.poll(&usual).await;
    desk.expect(&reference, "manifest", "application/vnd.acme.config.v1+json", CONFIG_MEDIA_TYPE)
        .await;
    put(manifest("application/vnd.oci.image.config.v1+json"));
    desk.expect(&reference, "manifest", "container image", "helm push").await;
    put(json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}));
    desk.expect(&reference, "manifest", "container image", "helm push").await;
    // Pushed rightly under the same tag: the poller does not know yet.
    fake.chart("team/api", "1.0.0", "x");
    let cause = desk.expect(&reference, "row", "it had another one", "look at freshness").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&reference).await;

    // A mistype, with what was meant.
    fake.absent("team/api", "1.0.O");
    fake.absent("team/api", "v1.0.0");
    let place = reference.strip_suffix("1.0.0").unwrap();
    for mistyped in ["1.0.O", "v1.0.0"] {
        desk.expect(
            &format!("{place}{mistyped}"),
            "tag",
            &format!("no tag {mistyped}"),
            "there is 1.0.0.",
        )
        .await;
    }

    // Broken, and mended under a new version.
    let broken = Archive::new().file("chart/values.yaml", "x: 1\n").pack();
    fake.tags("team/api", &["1.0.0", "1.1.0"]);
    fake.chart_of_size("team/api", "1.1.0", &broken, broken.len());
    desk.poll(&usual).await;
    let reference = format!("{place}1.1.0");
    desk.expect(&reference, "contents", "the archive has no Chart.yaml", "under a new version")
        .await;
    assert_eq!(
        desk.ask(&reference).await["steps"][7]["detail"],
        "The row has this digest. It is available, and shown as BROKEN."
    );
    fake.tags("team/api", &["1.0.0", "1.1.0", "1.1.1"]);
    fake.chart("team/api", "1.1.1", "y");
    let mended = format!("{place}1.1.1");
    desk.expect(&mended, "row", "nobody has looked at the tag", "wait for 1 minute").await;
    desk.poll(&usual).await;
    desk.expect_ok(&mended).await;

    // The manifest is there and its layer is not.
    fake.tags("team/api", &["2.0.0"]);
    let layer = shared::domain::Digest::sha256(b"2").to_string();
    let size = chart::plain().len();
    fake.answer(
        "/v2/team/api/manifests/2.0.0",
        json!({"config": {"mediaType": CONFIG_MEDIA_TYPE}, "layers": [{"mediaType":
            CHART_MEDIA_TYPE, "digest": layer, "size": size}]}),
    );
    let reference = format!("{place}2.0.0");
    desk.expect(&reference, "contents", "/blobs/", "push the chart again").await;
    fake.chart("team/api", "2.0.0", "z");
    desk.poll(&usual).await;
    desk.expect_ok(&reference).await;
    // Without a tag, and by digest.
    desk.expect_ok(place.strip_suffix(':').unwrap()).await;
    let rows = &desk.stack.rows;
    let digest: String = rows
        .query_one("SELECT image_digest FROM helm_charts WHERE image_tag = '2.0.0'", &[])
        .await
        .unwrap()
        .get(0);
    let by_digest = format!("{}@{digest}", place.strip_suffix(':').unwrap());
    fake.answer(&format!("/v2/team/api/manifests/{digest}"), json!({}));
    desk.expect(&by_digest, "manifest", "bytes of digest", "not what a registry answers").await;
}
