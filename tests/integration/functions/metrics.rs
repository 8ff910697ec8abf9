//! What the functions measure: lines of CloudWatch's embedded metric format.

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

/// What was told since so many lines: each metric with its values.
async fn told(function: &Function, after: usize) -> BTreeMap<String, Vec<u64>> {
    let lines = function.output();
    lines.wait_for(|_| (lines.lines().len() > after).then_some(())).await.unwrap();
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in lines.lines().iter().skip(after) {
        let document: Value = serde_json::from_str(line).unwrap();
        let metrics = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&metrics["Namespace"], &metrics["Dimensions"]),
            (&json!(NAMESPACE), &json!([[DIMENSION]]))
        );
        assert!(
            document["_aws"]["Timestamp"].as_u64().is_some_and(|at| at > 1_700_000_000_000),
            "{document}"
        );
        for metric in metrics["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(
                Metric::ALL.iter().any(|metric| metric.name() == name),
                "{name} is not in the list"
            );
            let unit = match name {
                "PassDuration" => "Milliseconds",
                "PollLag" => "Seconds",
                _ => "Count",
            };
            assert_eq!(metric["Unit"], unit, "{name}");
            let values = match &document[name] {
                Value::Array(values) => {
                    values.iter().map(|value| value.as_f64().unwrap()).collect()
                }
                value => vec![value.as_f64().unwrap()],
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts and times"
            )]
            told.entry(name.to_owned())
                .or_default()
                .extend(values.iter().map(|value| *value as u64));
        }
    }
    told
}

#[tokio::test]
async fn a_pass_tells_what_it_did_and_a_pass_over_nothing_new_only_that_it_was() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["team/api"]);
    fake.tags("team/api", &["1.0.0", "1.1.0", "image"]);
    fake.chart("team/api", "1.0.0", "x");
    let broken = Archive::new().file("chart/values.yaml", "x: 1\n").pack();
    fake.chart_of_size("team/api", "1.1.0", &broken, broken.len());
    fake.answer(
        "/v2/team/api/manifests/image",
        json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}),
    );
    // One answer asks for less.
    let tags = json!({"tags": ["1.0.0", "1.1.0", "image"]});
    fake.answer("/v2/team/api/tags/list?n=1000", json!({})).status(429).then(tags);
    let function = stack.oci_poll().await;
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    let first = told(&function, 0).await;
    let count = |name: &str| first.get(name).map(Vec::as_slice);
    assert_eq!(
        (count("ChartsAdded"), count("ChartsBroken")),
        (Some(&[2][..]), Some(&[1][..])),
        "{first:?}"
    );
    assert_eq!(
        (count("ReferencesSkipped"), count("RegistryThrottled")),
        (Some(&[1][..]), Some(&[1][..])),
        "{first:?}"
    );
    assert_eq!(count("RegistryRequests"), Some(&[fake.asked().len() as u64][..]), "{first:?}");
    assert_eq!(
        (count("HeldBack"), count("ChartsUnavailable")),
        (Some(&[0][..]), None),
        "{first:?}"
    );
    assert!(
        count("PassDuration").is_some_and(|passes| passes.len() == 1)
            && count("PollLag") == Some(&[0][..]),
        "{first:?}"
    );

    let lines = function.output().lines().len();
    let before = fake.asked().len();
    function.invoke(&instance(&fake.url())).await.unwrap();
    let second = told(&function, lines).await;
    let names: Vec<&str> = second.keys().map(String::as_str).collect();
    assert_eq!(names, ["HeldBack", "PassDuration", "PollLag", "RegistryRequests"]);
    assert_eq!(second["RegistryRequests"], [(fake.asked().len() - before) as u64]);
    // Nothing of another instance is told again.
    let lines = function.output().lines().len();
    let mut other = instance(&fake.url());
    other["name"] = json!("other");
    function.invoke(&other).await.unwrap();
    told(&function, lines).await;
    let about: Vec<Value> = function.output().lines()[lines..]
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()[DIMENSION].clone())
        .collect();
    assert_eq!(about, ["other"]);
}

#[tokio::test]
async fn a_registry_whose_passes_do_not_end_falls_behind() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&[]);
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    // As if that had been an hour ago.
    let table = stack.dynamodb.client().await;
    let items = table.scan().table_name(CURSOR_TABLE).send().await.unwrap().items.unwrap();
    let mut lease = items.into_iter().find(|item| item["sk"].as_s().unwrap() == "lease").unwrap();
    let mut cursor: Value = serde_json::from_str(lease["cursor"].as_s().unwrap()).unwrap();
    cursor["last_whole_pass_at"] =
        json!(cursor["last_whole_pass_at"].as_i64().unwrap() - 3_600_000);
    lease.insert("cursor".to_owned(), AttributeValue::S(cursor.to_string()));
    table.put_item().table_name(CURSOR_TABLE).set_item(Some(lease)).send().await.unwrap();

    // Without a catalog no pass comes to its end; one that is refused every list has told nothing;
    // then one does.
    let function = stack.oci_poll().await;
    for (catalog, tags, lag, passes) in
        [(404, 200, 3_600..3_660, 0), (200, 403, 3_600..3_660, 1), (200, 200, 0..60, 1)]
    {
        fake.catalog(&["team/api"]).status(catalog);
        fake.tags("team/api", &[]).status(tags);
        let lines = function.output().lines().len();
        function.invoke(&instance(&fake.url())).await.unwrap();
        let told = told(&function, lines).await;
        assert!(lag.contains(&told["PollLag"][0]), "{told:?}");
        assert_eq!(told.get("PassDuration").map_or(0, Vec::len), passes, "{told:?}");
        assert_eq!(
            told.contains_key("HeldBack"),
            passes > 0,
            "an unreadable catalog tells nothing of it: {told:?}"
        );
    }
}

#[tokio::test]
async fn what_events_brought_is_told_and_what_a_repair_had_to_bring_apart() {
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
    let first = told(&function, 0).await;
    assert_eq!(
        (&first["ChartsAdded"][..], first.get("RepairFound")),
        (&[1][..], None),
        "{first:?}"
    );
    assert!(function.output().lines()[0].contains("\"Instance\":\"prod-ecr\""));

    // The first run is the import of day one; what the second finds was lost.
    let repair = json!({"backfill": {"region": "us-east-1"}});
    for (tag, found) in [("1.1.0", None), ("1.2.0", Some(1))] {
        moto.put_image("charts/api", tag).await.unwrap();
        stack.pusher.push_chart("charts/api", tag, tag).await.unwrap();
        let lines = function.output().lines().len();
        let summary = function.invoke(&repair).await.unwrap();
        assert_summary!(summary, added = 1, complete = true);
        let told = told(&function, lines).await;
        assert_eq!(told.get("RepairFound").map(|found| found[0]), found, "{told:?}");
    }
}
