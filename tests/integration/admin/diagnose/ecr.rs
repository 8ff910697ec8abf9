//! The diagnosis names a lost event, or the part of ECR that no instance watches.

use serde_json::json;
use shared::domain::Digest;

use crate::support::diagnosis_site::{DiagnosisSite, one_chart, step};
use crate::support::stack::{ECR, Stack, batch, count, event};

#[tokio::test]
async fn first_event_makes_an_instance_known() {
    let site = DiagnosisSite::with(&[], &[("ECR_ACCOUNTS", "123456789012")]).await;
    let stack = &site.stack;
    let digest = stack.pusher.push_chart("shop/orders", "1.0.0", "x").await.unwrap();
    let reference = format!("{ECR}/shop/orders:1.0.0");
    site.expect(&reference, "instance", "No instance", "configure an instance").await;
    deliver(&site, "1.0.0", &digest).await;
    site.expect_ok(&reference).await;
    let health = "SELECT count(*) FROM discovery_instances
        WHERE name = 'ecr-us-east-1' AND source = 'us-east-1' AND function_name = 'ecr-events'
            AND last_event_at > now() - interval '1 minute'";
    assert_eq!(count(&stack.rows, health).await, 1);
}

#[tokio::test]
async fn lost_event_is_replaced_by_a_rescan() {
    let site = orders().await;
    site.stack.pusher.push_chart("shop/orders", "1.1.0", "y").await.unwrap();
    let lost = format!("{ECR}/shop/orders:1.1.0");
    let remedy = "invoke ecr-events with";
    let cause = site.expect(&lost, "row", "discovery has not looked at the tag", remedy).await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&lost).await;
}

#[tokio::test]
async fn reference_outside_the_watched_part_of_ecr_is_named() {
    let site = orders().await;
    let other = ECR.replace("123456789012", "210987654321");
    let elsewhere = ECR.replace("us-east-1", "eu-west-1");
    for (reference, id, detail, remedy) in [
        (format!("{other}/shop/orders:1.0.0"), "listed", "not in ECR_ACCOUNTS", "Add the account"),
        (
            format!("{elsewhere}/shop/orders:1.0.0"),
            "instance",
            "Watched registries: ECR in us-east-1",
            "eu-west-1",
        ),
        (format!("{ECR}/shop/none:1.0.0"), "listed", "NAME_UNKNOWN", "mistype"),
    ] {
        site.expect(&reference, id, detail, remedy).await;
    }
}

#[tokio::test]
async fn repository_that_is_not_selected_is_named() {
    let selection = json!({"repositories": ["shop/*"], "exclude": ["shop/old"]}).to_string();
    let site = DiagnosisSite::with(&[], &[("ECR_SELECTION", &selection)]).await;
    for repository in ["shop/orders", "shop/old", "shop/x/y"] {
        site.stack.pusher.push_chart(repository, "1.0.0", "x").await.unwrap();
    }
    let digest = Digest::sha256(b"any");
    deliver(&site, "1.0.0", &digest).await;
    let reference = |name: &str| format!("{ECR}/{name}:1.0.0");
    site.expect_ok(&reference("shop/orders")).await;
    let remedy = "ecrEvents.exclude";
    site.expect(&reference("shop/old"), "listed", "leaves shop/old out", remedy).await;
    let remedy = "ecrEvents.repositories";
    site.expect(&reference("shop/x/y"), "listed", "neither shop/x/y nor", remedy).await;
}

#[tokio::test]
async fn missing_events_are_named_until_a_repair_succeeds() {
    let site = orders().await;
    let reference = format!("{ECR}/shop/orders:1.0.0");
    site.set_instances("last_event_at = now() - interval '3 days'").await;
    site.expect(&reference, "freshness", "came: 3 days ago", "EventBridge rule").await;
    site.set_instances("last_succeeded_at = now(), last_error = NULL").await;
    site.expect_ok(&reference).await;
    site.set_instances("last_error = 'shop/x: 403'").await;
    site.expect_ok(&reference).await;
    let missing = site.ask(&format!("{ECR}/shop/orders:9.9.9")).await;
    let remedy = step(&missing, "freshness")["remedy"].as_str().unwrap();
    assert!(remedy.contains("every ten minutes"), "{missing:#}");
}

#[tokio::test]
async fn chart_is_seen_where_the_function_may_not_list_tags() {
    let stack = Stack::new().await;
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0"]).status(403);
    let function = stack.ecr_events_at(&fake.url()).await;
    let instance =
        json!({"name": "x", "provider": "ecr", "ecrEvents": {"regionName": "us-east-1"}});
    let asked = |tag: Option<&str>| {
        json!({"instance": instance, "diagnose": {"registry": ECR,
        "repository": "team/api", "tag": tag}})
    };
    let verdicts = async |tag| {
        let live = function.invoke(&asked(tag)).await.unwrap();
        let steps = live["steps"].as_array().unwrap().clone();
        steps
            .iter()
            .map(|step| format!("{} {}", step["id"].as_str().unwrap(), step["ok"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let all =
        "listed true, reachable true, authorized true, tag true, manifest true, contents true";
    assert_eq!(verdicts(Some("1.0.0")).await, all);
    assert_eq!(verdicts(None).await, "authorized false", "only the row shows the repository");
    fake.chart("team/api", "1.0.0", "x").status(403);
    assert_eq!(verdicts(Some("1.0.0")).await, "authorized false");
}

/// Starts a site that has received the push event of the chart `shop/orders:1.0.0`.
async fn orders() -> DiagnosisSite {
    let site = DiagnosisSite::with(&[], &[("ECR_ACCOUNTS", "123456789012")]).await;
    let digest = site.stack.pusher.push_chart("shop/orders", "1.0.0", "x").await.unwrap();
    deliver(&site, "1.0.0", &digest).await;
    site
}

/// Delivers the event of a push to `shop/orders`.
async fn deliver(site: &DiagnosisSite, tag: &str, digest: &Digest) {
    let push = event("PUSH", "shop/orders", Some(tag), digest).to_string();
    let answer = site.ecr_events.invoke(&batch(&[push])).await;
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
}
