//! Artifacts, indexes and tags that registries and tools make, and that are no plain chart.

use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::CONFIG_MEDIA_TYPE;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, instance};

/// Makes a registry with one tag, `1.0.0`.
async fn one_tag(repository: &str) -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.catalog(&[repository]);
    fake.tags(repository, &["1.0.0"]);
    fake
}

/// Answers with a chart's manifest at its digest, and returns that digest.
fn child(fake: &FakeRegistry, repository: &str, config: &str, annotations: &Value) -> String {
    let config = json!({"mediaType": CONFIG_MEDIA_TYPE, "digest": config});
    let chart = json!({"config": config, "annotations": annotations});
    let digest = Digest::sha256(chart.to_string().as_bytes()).to_string();
    fake.answer(&format!("/v2/{repository}/manifests/{digest}"), chart);
    digest
}

/// Case from the field 9.
#[tokio::test]
async fn chart_in_an_index_of_oras_is_found() {
    let stack = Stack::new().await;
    let fake = one_tag("a").await;
    let digest = child(&fake, "a", "", &json!({}));
    let platform = json!({"os": "linux", "architecture": ""});
    let child = json!({"digest": digest, "artifactType": CONFIG_MEDIA_TYPE, "platform": platform});
    fake.answer("/v2/a/manifests/1.0.0", json!({"manifests": [child]}));
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 1, skipped = 0, complete = true);
}

/// Case from the field 10.
#[tokio::test]
async fn chart_with_the_name_of_the_repository_is_chosen_from_an_index() {
    let stack = Stack::new().await;
    for (second_name, expected) in [("app", 2002), ("other", 2001)] {
        let fake = one_tag("org/app").await;
        let of = |name: &str, year: u32| {
            let created = format!("{year}-01-01T00:00:00Z");
            let annotations = json!({"org.opencontainers.image.title": name,
                "org.opencontainers.image.created": created});
            json!({"digest": child(&fake, "org/app", "", &annotations)})
        };
        let index = json!({"manifests": [of("lib", 2001), of(second_name, 2002)]});
        fake.answer("/v2/org/app/manifests/1.0.0", index);
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, added = 1, complete = true);
        let sql = "SELECT extract(year FROM chart.created_at)::int4 FROM helm_charts AS chart \
                   JOIN helm_registries AS registry ON registry.id = helm_registry_id \
                   WHERE domain_name = $1";
        let year: i32 = stack.rows.query_one(sql, &[&fake.url()]).await.unwrap().get(0);
        assert_eq!(year, expected, "{second_name}");
    }
}

/// Case from the field 10.
#[tokio::test]
async fn name_in_the_config_blob_counts_if_the_manifest_has_none() {
    let stack = Stack::new().await;
    let fake = one_tag("org/app").await;
    let config = |name: &str| {
        let config = json!({"apiVersion": "v2", "name": name, "version": "1.0.0"}).to_string();
        let digest = Digest::sha256(config.as_bytes()).to_string();
        fake.blob("org/app", &digest, config.into_bytes());
        digest
    };
    let first = child(&fake, "org/app", &config("lib"), &json!({}));
    let second = child(&fake, "org/app", &config("app"), &json!({}));
    let index = json!({"manifests": [{"digest": first}, {"digest": second}]});
    fake.answer("/v2/org/app/manifests/1.0.0", index);
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    let sql = "SELECT chart_name FROM helm_chart_contents";
    let name: Option<String> = stack.rows.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(name.as_deref(), Some("app"));
}

/// Case from the field 12.
#[tokio::test]
async fn old_image_with_a_wrong_digest_is_skipped_once() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1", "2", "3"]);
    let wrong = format!("sha256:{}", "0".repeat(64));
    let schema_1 = json!({"schemaVersion": 1, "name": "a", "tag": "1", "fsLayers": []});
    fake.answer("/v2/a/manifests/1", schema_1.clone()).header("docker-content-digest", &wrong);
    fake.answer("/v2/a/manifests/2", schema_1).header("docker-content-digest", "tarsum:x");
    let image = json!({"mediaType": "application/vnd.docker.container.image.v1+json"});
    fake.answer("/v2/a/manifests/3", json!({"config": image}))
        .header("docker-content-digest", &wrong);
    for (manifests, skipped) in [(3, 3), (0, 0)] {
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, manifests = manifests, skipped = skipped, complete = true);
    }
}

/// Case from the field 7.
#[tokio::test]
async fn digest_is_normalised_in_every_form() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let tags = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"];
    fake.catalog(&["a"]);
    fake.tags("a", &tags);
    let chart = json!({"config": {"mediaType": CONFIG_MEDIA_TYPE}});
    let digest = Digest::sha256(chart.to_string().as_bytes()).to_string();
    let quoted = format!("\"{digest}\"");
    let upper = digest.to_uppercase();
    for (tag, header) in tags.into_iter().zip(["", &quoted, &upper, "\"\""]) {
        fake.answer(&format!("/v2/a/manifests/{tag}"), chart.clone())
            .header("docker-content-digest", header);
    }
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 4, skipped = 0, complete = true);
    let sql = "SELECT DISTINCT image_digest FROM helm_charts";
    let stored: String = stack.rows.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(stored, digest);
}

/// Case from the field 19.
#[tokio::test]
async fn marks_of_other_manifests_are_not_looked_at() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let mark = format!("sha256-{}", "0a".repeat(32));
    let marks = ["", ".sig", ".att", ".sbom"].map(|suffix| format!("{mark}{suffix}"));
    let tags: Vec<&str> = ["1.0.0"].into_iter().chain(marks.iter().map(String::as_str)).collect();
    fake.tags("a", &tags);
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 1, tags = 1, complete = true);
    assert_eq!(fake.count("GET", "/manifests/"), 1);
}
