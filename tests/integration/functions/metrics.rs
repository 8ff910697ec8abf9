//! The metrics that the functions emit, as lines of CloudWatch's embedded metric format.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::metrics::{DIMENSION, Metric, NAMESPACE};
use tests::chart::Archive;
use tests::dynamodb::CURSOR_TABLE;
use tests::function::Function;
use tests::moto::Moto;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, event, instance};

/// Waits until more than this many lines are written. Returns each metric in the new lines with its
/// values.
async fn emitted(function: &Function, after: usize) -> BTreeMap<String, Vec<u64>> {
    let end = emitted_lines(function, after).await;
    let mut emitted: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in &function.output().lines()[after..end] {
        let document: Value = serde_json::from_str(line).unwrap();
        let metrics = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Namespace"], NAMESPACE, "{document}");
        assert_eq!(metrics["Dimensions"], json!([[DIMENSION]]), "{document}");
        assert!(
            document["_aws"]["Timestamp"].as_u64().is_some_and(|at| at > 1_700_000_000_000),
            "{document}"
        );
        for metric in metrics["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(Metric::ALL.iter().any(|known| known.name() == name), "{name} is not listed");
            assert_eq!(metric["Unit"], unit(name), "{name}");
            emitted.entry(name.to_owned()).or_default().extend(values(&document[name]));
        }
    }
    emitted
}

/// Waits until more than this many lines are written. Returns the number of lines.
async fn emitted_lines(function: &Function, after: usize) -> usize {
    let lines = function.output();
    lines.wait_for(|_| (lines.lines().len() > after).then_some(())).await.unwrap();
    lines.lines().len()
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "PassDuration" | "HintToRow" => "Milliseconds",
        "PollLag" => "Seconds",
        _ => "Count",
    }
}

/// Returns the values of a metric, which are a list or one number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and times")]
fn values(value: &Value) -> Vec<u64> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().map(|value| value.as_f64().unwrap() as u64).collect()
}

/// Starts a registry with a chart, a broken chart, an image, and one answer that throttles the
/// client.
async fn registry() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.catalog(&["team/api"]);
    fake.chart("team/api", "1.0.0", "x");
    let broken = Archive::new().file("chart/values.yaml", "x: 1\n").pack();
    fake.chart_of_size("team/api", "1.1.0", &broken, broken.len());
    fake.answer(
        "/v2/team/api/manifests/image",
        json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}),
    );
    let tags = json!({"tags": ["1.0.0", "1.1.0", "image"]});
    fake.answer("/v2/team/api/tags/list?n=1000", json!({})).status(429).then(tags);
    fake
}

#[tokio::test]
async fn first_pass_emits_the_counts_of_its_finds() {
    let stack = Stack::new().await;
    let fake = registry().await;
    let function = stack.oci_poll().await;
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    let metrics = emitted(&function, 0).await;
    for (name, values) in [
        ("ChartsAdded", Some(&[2][..])),
        ("ChartsBroken", Some(&[1])),
        ("ReferencesSkipped", Some(&[1])),
        ("RegistryThrottled", Some(&[1])),
        ("RegistryRequests", Some(&[fake.asked().len() as u64])),
        ("HeldBack", Some(&[0])),
        ("ChartsUnavailable", None),
    ] {
        assert_eq!(metrics.get(name).map(Vec::as_slice), values, "{name}: {metrics:?}");
    }
    for once in ["PassDuration", "PollLag"] {
        assert_eq!(metrics[once].len(), 1, "{once}: {metrics:?}");
    }
    assert!(metrics["PollLag"][0] < 60, "{metrics:?}");
}

/// Two installations in one account have a namespace each.
#[tokio::test]
async fn namespace_of_the_metrics_may_be_set() {
    let stack = Stack::new().await;
    let fake = registry().await;
    let function = stack.oci_poll_with(&[("METRICS_NAMESPACE", "ChartDiscovery/b")]).await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    emitted_lines(&function, 0).await;
    let line: Value = serde_json::from_str(&function.output().lines()[0]).unwrap();
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "ChartDiscovery/b");
}

#[tokio::test]
async fn pass_without_changes_emits_only_that_it_ran() {
    let stack = Stack::new().await;
    let fake = registry().await;
    let function = stack.oci_poll().await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    let lines = emitted_lines(&function, 0).await;
    let before = fake.asked().len();
    function.invoke(&instance(&fake.url())).await.unwrap();
    let metrics = emitted(&function, lines).await;
    let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["HeldBack", "PassDuration", "PollLag", "RegistryRequests"]);
    assert_eq!(metrics["RegistryRequests"], [(fake.asked().len() - before) as u64]);
}

#[tokio::test]
async fn metrics_of_another_instance_are_not_repeated() {
    let stack = Stack::new().await;
    let fake = registry().await;
    let function = stack.oci_poll().await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    let lines = emitted_lines(&function, 0).await;
    let mut other = instance(&fake.url());
    other["name"] = json!("other");
    function.invoke(&other).await.unwrap();
    emitted(&function, lines).await;
    let about: Vec<Value> = function.output().lines()[lines..]
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()[DIMENSION].clone())
        .collect();
    assert_eq!(about, ["other"]);
}

#[tokio::test]
async fn poll_lag_grows_until_a_pass_completes() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&[]);
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    // Moves the pass one hour into the past.
    let table = stack.dynamodb.client().await;
    let items = table.scan().table_name(CURSOR_TABLE).send().await.unwrap().items.unwrap();
    let mut lease = items.into_iter().find(|item| item["sk"].as_s().unwrap() == "lease").unwrap();
    let mut cursor: Value = serde_json::from_str(lease["cursor"].as_s().unwrap()).unwrap();
    cursor["last_whole_pass_at"] =
        json!(cursor["last_whole_pass_at"].as_i64().unwrap() - 3_600_000);
    lease.insert("cursor".to_owned(), AttributeValue::S(cursor.to_string()));
    table.put_item().table_name(CURSOR_TABLE).set_item(Some(lease)).send().await.unwrap();

    // Without a catalog, no pass completes. If one tag list is refused, a pass completes, but the
    // lag remains. With both lists, the lag ends.
    let function = stack.oci_poll().await;
    for (catalog, tags, lag, passes) in
        [(404, 200, 3_600..3_660, 0), (200, 403, 3_600..3_660, 1), (200, 200, 0..60, 1)]
    {
        fake.catalog(&["team/api"]).status(catalog);
        fake.tags("team/api", &[]).status(tags);
        let lines = function.output().lines().len();
        function.invoke(&instance(&fake.url())).await.unwrap();
        let metrics = emitted(&function, lines).await;
        assert!(lag.contains(&metrics["PollLag"][0]), "{metrics:?}");
        assert_eq!(metrics.get("PassDuration").map_or(0, Vec::len), passes, "{metrics:?}");
        assert_eq!(
            metrics.contains_key("HeldBack"),
            passes > 0,
            "only a complete pass counts the charts that are held back: {metrics:?}"
        );
    }
}

#[tokio::test]
async fn charts_found_by_a_repair_are_counted_apart() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    moto.create_repository("charts/api").await.unwrap();
    moto.put_image("charts/api", "1.0.0").await.unwrap();
    let digest = stack.pusher.push_chart("charts/api", "1.0.0", "a").await.unwrap();
    let function = stack
        .ecr_events_with(&[&moto.settings()[..], &[("INSTANCE_NAME", "prod-ecr")]].concat())
        .await;
    function
        .invoke(&batch(&[event("PUSH", "charts/api", Some("1.0.0"), &digest).to_string()]))
        .await
        .unwrap();
    let first = emitted(&function, 0).await;
    assert_eq!(
        (&first["ChartsAdded"][..], first.get("RepairFound")),
        (&[1][..], None),
        "{first:?}"
    );
    assert!(function.output().lines()[0].contains("\"Instance\":\"prod-ecr\""));

    // The first run imports the region, so that only the second one finds lost charts.
    let repair = json!({"backfill": {"region": "us-east-1"}});
    for (tag, found) in [("1.1.0", None), ("1.2.0", Some(1))] {
        moto.put_image("charts/api", tag).await.unwrap();
        stack.pusher.push_chart("charts/api", tag, tag).await.unwrap();
        let lines = function.output().lines().len();
        let summary = function.invoke(&repair).await.unwrap();
        assert_summary!(summary, added = 1, complete = true);
        let metrics = emitted(&function, lines).await;
        assert_eq!(metrics.get("RepairFound").map(|found| found[0]), found, "{metrics:?}");
    }
}
