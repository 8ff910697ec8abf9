//! The columns of charts that the real Helm client packaged and pushed.

use std::path::Path;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tests::helm;
use tokio_postgres::Client;

use crate::support::assert_summary::assert_summary;
use crate::support::stack::{Stack, count};

/// A chart's name, and the files that it has besides Chart.yaml.
type Chart = (&'static str, &'static [(&'static str, &'static str)]);

const VALUES_UI: &str = "\
apiVersion: platz.io/v1beta1
kind: ValuesUi
inputs:
  - id: replicas
    type: number
    label: Replicas
    initialValue: 2
    minimum: 1
    maximum: 10.5
    required: true
  - id: domain
    type: array
    itemType: CollectionSelect
    collection: K8sResources
    label: Domains
    showIf: {\"==\": [{\"var\": \"replicas\"}, 2]}
outputs:
  values:
    - path: [replicaCount]
      value: {FieldValue: {input: replicas}}
  secrets:
    login: {password: {FieldValue: {input: domain}}}
";

const ACTIONS: &str = "\
- apiVersion: platz.io/v1beta1
  kind: Action
  spec:
    id: restart
    allowed_role: Owner
    endpoint: standard_ingress
    path: /restart
    method: POST
    title: Restart
    description: Restarts it
    dangerous: true
";

const FEATURES: &str = "\
apiVersion: platz.io/v1beta2
kind: Features
spec:
  ingress: {enabled: true, hostname_format: Name}
  status: {endpoint: standard_ingress, path: /status, refresh_interval_secs: 60}
  cardinality: OnePerCluster
  node_selector_paths: [[redis, master]]
  display: {name: {InputField: {name: domain}}, icon: {font_awesome: database}}
";

const RESOURCES: &str = "\
- apiVersion: platz.io/v1beta1
  kind: ResourceType
  key: user
  spec:
    name_singular: User
    name_plural: Users
    fontawesome_icon: user
    values_ui: {inputs: [{id: email, type: text, label: E-mail, required: true}], outputs: \
    {values: []}}
    lifecycle: {create: {target: {endpoint: standard_ingress, path: /users, method: POST}}}
";

const LEGACY_UI: &str = r#"{"inputs": [{"id": "size", "type": "text", "label": "Size",
    "options": [{"value": 1}]}], "outputs": {"values": []}}"#;

const LEGACY_ACTIONS: &str = r#"{"schema_version": 0, "actions": [{"id": "flush",
    "allowed_role": "Maintainer",
    "endpoint": "standard_ingress", "path": "/flush", "method": "PUT", "title": "Flush",
    "description": "Empties it",
    "ui_schema": {"inputs": [], "outputs": {"values": []}}}]}"#;

const CHARTS: [Chart; 19] = [
    ("plain", &[]),
    ("values-ui", &[("platz/values-ui.yaml", VALUES_UI)]),
    ("actions", &[("platz/actions.yaml", ACTIONS)]),
    ("features", &[("platz/features.yaml", FEATURES)]),
    (
        "features-v1beta1",
        &[(
            "platz/features.yaml",
            "{apiVersion: platz.io/v1beta1, kind: Features, spec: {standard_ingress: true}}",
        )],
    ),
    ("resources", &[("platz/resources.yaml", RESOURCES)]),
    ("legacy-values-ui", &[("values.ui.json", LEGACY_UI)]),
    ("legacy-actions", &[("actions.schema.json", LEGACY_ACTIONS)]),
    (
        "legacy-features",
        &[("features.json", r#"{"standard_ingress": true, "cardinality": "Many"}"#)],
    ),
    // A folder `platz` makes discovery ignore the legacy files.
    (
        "both",
        &[("platz/values-ui.yaml", VALUES_UI), ("features.json", r#"{"standard_ingress": true}"#)],
    ),
    (
        "wrong-values-ui",
        &[(
            "platz/values-ui.yaml",
            "apiVersion: platz.io/v1beta1\nkind: ValuesUi\ninputs:\n  - id: [\n",
        )],
    ),
    (
        "wrong-actions",
        &[
            (
                "platz/actions.yaml",
                "- apiVersion: platz.io/v1beta1\n  kind: Action\n  spec:\n    id: restart\n",
            ),
            ("platz/features.yaml", FEATURES),
        ],
    ),
    (
        "wrong-features",
        &[("platz/features.yaml", "apiVersion: platz.io/v1beta9\nkind: Features\nspec: {}\n")],
    ),
    ("wrong-resources", &[("platz/resources.yaml", "- key: user\n")]),
    ("wrong-legacy-values-ui", &[("values.ui.json", "{\n  \"inputs\": [],\n}")]),
    ("wrong-legacy-actions", &[("actions.schema.json", "{\"schema_version\": 0}")]),
    ("wrong-legacy-features", &[("features.json", "{\"cardinality\": \"Some\"}")]),
    ("empty-values-ui", &[("platz/values-ui.yaml", "\n")]),
    ("two-mistakes", &[("platz/values-ui.yaml", "x: 1\n"), ("platz/features.yaml", "[]")]),
];

fn write_chart(folder: &Path, (name, files): Chart) {
    let chart_yaml = format!(
        "apiVersion: v2\nname: {name}\nversion: 0.0.0\nappVersion: '1.10'\ndescription: The chart \
         {name}\nannotations:\n  \
         platz.io/git/commit: abc1234\n  platz.io/git/branch: main\n  platz.io/git/repo: \
         https://example.com/{name}\n"
    );
    for (path, contents) in files.iter().copied().chain([("Chart.yaml", chart_yaml.as_str())]) {
        let path = folder.join(name).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }
}

/// Returns the columns with the contents of all charts.
async fn contents(client: &Client) -> Value {
    let sql = "\
        SELECT coalesce(jsonb_agg((to_jsonb(chart) || to_jsonb(contents))
            - '{id,created_at,helm_registry_id,image_digest,digest,available,tag_format_id,
                parsed_version,parsed_revision,parsed_branch,parsed_commit}'::text[]
            ORDER BY chart_name), '[]')::text
        FROM helm_charts AS chart
        JOIN helm_chart_contents AS contents ON contents.digest = chart.image_digest";
    serde_json::from_str(client.query_one(sql, &[]).await.unwrap().get(0)).unwrap()
}

#[tokio::test]
async fn packaged_charts_have_the_expected_columns() {
    let stack = Stack::new().await;
    let folder = tempfile::tempdir().unwrap();
    let host = stack.registry.host();
    let pushes = CHARTS.map(|chart| {
        write_chart(folder.path(), chart);
        let folder = folder.path().join(chart.0);
        Box::pin(async move { helm::push_folder(&folder, "1.2.3+b.1", host, "charts").await })
    });
    stream::iter(pushes).buffer_unordered(4).try_collect::<Vec<()>>().await.unwrap();
    let before = stack.registry.requests().len();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 19, broken = 9, complete = true);
    // A chart costs two requests, in addition to the lists.
    assert_eq!(stack.registry.requests().len() - before, 1 + CHARTS.len() + 2 * CHARTS.len());
    insta::assert_json_snapshot!(contents(&stack.rows).await);
}

#[tokio::test]
async fn known_digest_is_not_read_again() {
    let stack = Stack::new().await;
    let layer = tests::chart::Archive::new()
        .file("api/Chart.yaml", "apiVersion: v2\nname: api\nversion: 1.0.0\n")
        .file("api/features.json", "{}")
        .pack();
    let digest = stack.pusher.push_archive("team/api", "1.0.0", &layer).await.unwrap();
    for (repository, tag) in [("team/api", "latest"), ("mirror/api", "1.0.0"), ("mirror/api", "v1")]
    {
        assert_eq!(stack.pusher.push_archive(repository, tag, &layer).await.unwrap(), digest);
    }
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["added"], 4);
    stack.pusher.push_archive("other/api", "1.0.0", &layer).await.unwrap();
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["added"], 1);
    let requests = stack.registry.requests();
    let layers = requests
        .iter()
        .filter(|request| request.starts_with("GET") && request.contains("/blobs/"))
        .count();
    assert_eq!((stack.manifest_requests(), layers), (5, 1), "{requests:#?}");
    let same = "SELECT count(*) FROM helm_charts AS chart
        JOIN helm_chart_contents ON digest = image_digest
        WHERE chart_name = 'api' AND chart_version = '1.0.0'
            AND chart.features->>'standard_ingress' = \
        'false'";
    assert_eq!(count(&stack.rows, same).await, 5);
}
