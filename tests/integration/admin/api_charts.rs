//! One chart in the API, with all that is in it.

use serde_json::{Value, json};
use tests::chart::Archive;

use crate::support::assert_summary::assert_summary;
use crate::support::stack::Stack;
use crate::support::walk::{admin, get};

const CHART: &str = "\
apiVersion: v2
name: api
version: 1.0.0
type: library
kubeVersion: '>=1.25'
deprecated: true
home: https://example.com
icon: https://example.com/i.png
sources: [https://example.com/src]
keywords: [web, api]
maintainers: [{name: Ann, email: ann@example.com}]
dependencies: [{name: db, version: 1.x, repository: 'oci://example.com/charts', alias: d}]
annotations: {licence: MIT}
";

/// Returns the list's form and the whole form of the only chart.
async fn chart(archive: Archive) -> (Value, Value) {
    let stack = Stack::new().await;
    stack.pusher.push_archive("team/api", "1.0.0", &archive.pack()).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let admin = admin(&stack, &[]).await;
    let (_, list) = get(&format!("{}/api/v2/helm-charts", admin.url())).await;
    let listed = list["items"][0].clone();
    let id = listed["id"].as_str().unwrap();
    let (status, whole) = get(&format!("{}/api/v2/helm-charts/{id}", admin.url())).await;
    assert_eq!(status, 200, "{whole}");
    (listed, whole)
}

/// A page of such charts would not fit into an answer of Lambda.
#[tokio::test]
async fn list_shortens_fields_of_the_metadata_that_have_no_limit() {
    let long = "9".repeat(100_000);
    let text = format!(
        "apiVersion: v2\nname: api\nversion: 1.0.0\ntype: t{long}\nkubeVersion: '>={long}'\n"
    );
    let (listed, whole) = chart(Archive::new().file("api/Chart.yaml", &text)).await;
    for field in ["chart_type", "kube_version"] {
        assert_eq!(listed[field].as_str().unwrap().len(), 512, "{field}");
    }
    assert_eq!(whole["metadata"]["kubeVersion"].as_str().unwrap().len(), 100_002);
}

#[tokio::test]
async fn chart_has_everything_that_is_in_it_and_a_list_stays_light() {
    let archive = Archive::new()
        .file("api/Chart.yaml", CHART)
        .file("api/README.md", "# API")
        .file("api/values.yaml", "# why\na: 1\n")
        .file("api/values.schema.json", "{}");
    let (listed, whole) = chart(archive).await;
    for form in [&listed, &whole] {
        assert_summary!(
            form,
            chart_type = "library",
            kube_version = ">=1.25",
            deprecated = true,
            has_provenance = false
        );
    }
    for heavy in ["metadata", "readme", "values_yaml", "values_schema", "dependencies"] {
        assert!(listed.get(heavy).is_none(), "{heavy} is in the list");
    }
    let expected = json!({
        "readme": "# API",
        "values_yaml": "# why\na: 1\n",
        "values_schema": "{}",
        "left_out": [],
        "home": "https://example.com",
        "icon": "https://example.com/i.png",
        "sources": ["https://example.com/src"],
        "keywords": ["web", "api"],
        "maintainers": [{"name": "Ann", "email": "ann@example.com", "url": null}],
        "annotations": {"licence": "MIT"},
        "dependencies": [{"name": "db", "version": "1.x", "repository": "oci://example.com/charts",
            "alias": "d", "condition": null}],
    });
    for (field, expected) in expected.as_object().unwrap() {
        assert_eq!(&whole[field], expected, "{field}");
    }
    assert_eq!(whole["metadata"]["version"], "1.0.0");
}

#[tokio::test]
async fn chart_without_contents_has_empty_fields() {
    let (_, whole) = chart(Archive::new().file("api/values.yaml", "a: 1")).await;
    assert_summary!(whole, metadata = Value::Null, deprecated = false, values_yaml = "a: 1");
    assert_eq!((&whole["keywords"], &whole["annotations"]), (&json!([]), &json!({})));
    assert!(whole["error"].as_str().unwrap().contains("no Chart.yaml"), "{whole}");
}
