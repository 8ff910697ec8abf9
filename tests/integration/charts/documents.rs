//! What is kept of a chart for people: its metadata, README, values and their schema.

use serde_json::{Value, json};
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE, PROVENANCE_MEDIA_TYPE};
use tests::chart::{Archive, CHART_YAML};

use crate::support::assert_summary::assert_summary;
use crate::support::stack::{Stack, count};

/// Returns the contents of the only chart as JSON.
async fn contents(stack: &Stack) -> Value {
    let sql = "SELECT to_jsonb(contents)::text FROM helm_chart_contents AS contents";
    serde_json::from_str(stack.rows.query_one(sql, &[]).await.unwrap().get(0)).unwrap()
}

async fn read(archive: Archive) -> (Stack, Value) {
    let stack = Stack::new().await;
    stack.pusher.push_archive("team/api", "1.0.0", &archive.pack()).await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 1, broken = 0, complete = true);
    let contents = contents(&stack).await;
    (stack, contents)
}

#[tokio::test]
async fn documents_are_read_as_helm_reads_them() {
    let chart = "apiVersion: v2\nname: api\nVersion: 1.0.0\nkeywords: [a]\ncustom: {b: 1}\n";
    let (_, contents) = read(
        Archive::new()
            .file("api/readme.TXT", "The first one")
            .file(r"api\Chart.yaml", chart)
            .file("api/README.md", "The second one")
            .file(r"api\values.yaml", "\u{feff}# a comment\nb: 1\n")
            .file("api/Values.yaml", "not: this\n")
            .file("api/charts/db/values.schema.json", "{}")
            .file("api/values.schema.json", "{\"$ref\": \"http://127.0.0.1:9/x\"}"),
    )
    .await;
    assert_summary!(
        contents,
        readme = "The first one",
        values_yaml = "# a comment\nb: 1\n",
        values_schema = "{\"$ref\": \"http://127.0.0.1:9/x\"}",
        has_provenance = false,
        contents_version = 2,
    );
    assert_eq!(contents["left_out"], json!([]));
    assert_eq!(
        contents["metadata"],
        json!({"apiVersion": "v2", "name": "api", "version": "1.0.0", "keywords": ["a"],
            "custom": {"b": 1}})
    );
}

#[tokio::test]
async fn document_that_cannot_be_kept_is_named_and_the_chart_is_not_broken() {
    let (_, contents) = read(
        Archive::new()
            .file("chart/Chart.yaml", CHART_YAML)
            .file("chart/README.md", vec![b'x'; 10 << 20])
            .file("chart/README.txt", "Helm does not show this one")
            .file("chart/values.yaml", b"a: \xff\n")
            .file("chart/values.schema.json", "{}")
            .file("chart/values.schema.json", "[]"),
    )
    .await;
    for column in ["readme", "values_yaml", "values_schema", "error"] {
        assert_eq!(contents[column], Value::Null, "{column}");
    }
    assert_eq!(
        contents["left_out"],
        json!([
            {"file": "README.md", "reason": "has 10485760 bytes; the limit is 262144"},
            {"file": "values.yaml", "reason": "is not UTF-8"},
            {"file": "values.schema.json", "reason": "is there more than once"},
        ])
    );
}

#[tokio::test]
async fn text_that_postgres_refuses_is_stored_without_it() {
    let chart = format!("{CHART_YAML}annotations: {{\"a\\0\": \"b\\0c\", d: \"\\\\u0000\"}}\n");
    let (_, contents) = read(
        Archive::new()
            .file("chart/Chart.yaml", chart)
            .file("chart/README.md", "a\0b")
            .file("chart/values.yaml", "")
            .file("chart/values.schema.json", "\0"),
    )
    .await;
    assert_summary!(contents, readme = "ab", values_yaml = "", values_schema = "");
    assert_eq!(contents["metadata"]["annotations"], json!({"a": "bc", "d": "\\u0000"}));
}

#[tokio::test]
async fn provenance_beside_the_chart_is_noted() {
    let stack = Stack::new().await;
    let layer = tests::chart::plain();
    let blob = stack.pusher.push_blob("team/api", &layer).await.unwrap();
    let provenance = stack.pusher.push_blob("team/api", b"signed").await.unwrap();
    let config = stack.pusher.push_blob("team/api", b"{}").await.unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG_MEDIA_TYPE, "digest": config.as_str(), "size": 2},
        "layers": [
            {"mediaType": CHART_MEDIA_TYPE, "digest": blob.as_str(), "size": layer.len()},
            {"mediaType": PROVENANCE_MEDIA_TYPE, "digest": provenance.as_str(), "size": 6},
        ],
    });
    stack.pusher.put_manifest("team/api", "1.0.0", &manifest).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_summary!(contents(&stack).await, has_provenance = true, chart_name = "chart");
}

#[tokio::test]
async fn documents_of_a_usual_chart_take_some_kilobytes() {
    let stack = Stack::new().await;
    for n in 0..50 {
        let values = (0..400).map(|m| format!("key{m}: value {n} {m} # why\n"));
        let readme = (0..200).map(|m| format!("Paragraph {m} of chart {n}.\n\n"));
        let layer = Archive::new()
            .file("chart/Chart.yaml", CHART_YAML)
            .file("chart/values.yaml", values.collect::<Vec<_>>().concat())
            .file("chart/README.md", readme.collect::<Vec<_>>().concat());
        stack.pusher.push_archive("team/api", &format!("1.{n}.0"), &layer.pack()).await.unwrap();
    }
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let size = count(&stack.rows, "SELECT pg_total_relation_size('helm_chart_contents')").await;
    let whole = "SELECT count(*) FROM helm_chart_contents
        WHERE length(values_yaml) > 8000 AND length(readme) > 5000";
    assert_eq!(count(&stack.rows, whole).await, 50);
    println!("{} bytes in the database per chart with 15 kB of documents", size / 50);
    assert!(size / 50 < 16 * 1024, "{size}");
}
