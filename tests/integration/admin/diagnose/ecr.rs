//! Names the event that was lost, and the registry of ECR that nothing watches.

use serde_json::json;

use crate::support::diagnosis_site::{DiagnosisSite, one_chart};
use crate::support::stack::{ECR, Stack, batch, count, event};

#[tokio::test]
async fn what_ecr_events_misses_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::with(&[], &[("ECR_ACCOUNTS", "123456789012")]).await;
    let stack = &desk.stack;
    let digest = stack.pusher.push_chart("shop/orders", "1.0.0", "x").await.unwrap();
    let reference = format!("{ECR}/shop/orders:1.0.0");
    desk.expect(&reference, "instance", "No instance", "configure an instance").await;
    let push = async |tag: &str| {
        let answer = desk
            .ecr_events
            .invoke(&batch(&[event("PUSH", "shop/orders", Some(tag), &digest).to_string()]))
            .await;
        assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
    };
    push("1.0.0").await;
    desk.expect_ok(&reference).await;
    let health =
        "SELECT count(*) FROM discovery_instances WHERE name = 'ecr-us-east-1' AND source \
                  = 'us-east-1'
        AND function_name = 'ecr-events' AND last_event_at > now() - interval '1 minute'";
    assert_eq!(count(&stack.rows, health).await, 1);

    // An event that was lost.
    stack.pusher.push_chart("shop/orders", "1.1.0", "y").await.unwrap();
    let lost = format!("{ECR}/shop/orders:1.1.0");
    let cause =
        desk.expect(&lost, "row", "nobody has looked at the tag", "invoke ecr-events with").await;
    desk.follow(&cause.remedy).await;
    desk.expect_ok(&lost).await;

    // Another account, another region, a repository that is not there.
    let other = ECR.replace("123456789012", "210987654321");
    desk.expect(
        &format!("{other}/shop/orders:1.0.0"),
        "listed",
        "not in ECR_ACCOUNTS",
        "Add the account",
    )
    .await;
    let elsewhere = ECR.replace("us-east-1", "eu-west-1");
    desk.expect(
        &format!("{elsewhere}/shop/orders:1.0.0"),
        "instance",
        "Watched are ECR in us-east-1",
        "eu-west-1",
    )
    .await;
    desk.expect(&format!("{ECR}/shop/none:1.0.0"), "listed", "NAME_UNKNOWN", "mistype").await;

    // Nothing comes any more.
    let set = async |what: &str| {
        stack.rows.execute(&format!("UPDATE discovery_instances SET {what}"), &[]).await.unwrap();
    };
    set("last_event_at = now() - interval '3 days'").await;
    desk.expect(&reference, "freshness", "came: 3 days ago", "EventBridge rule").await;
    set("last_succeeded_at = now(), last_error = NULL").await;
    desk.expect_ok(&reference).await;
    set("last_error = 'shop/x: 403'").await;
    desk.expect_ok(&reference).await;
    let missing = desk.ask(&format!("{ECR}/shop/orders:9.9.9")).await;
    assert!(
        missing["steps"][9]["remedy"].as_str().unwrap().contains("every ten minutes"),
        "{missing:#}"
    );
}

#[tokio::test]
async fn for_ecr_a_chart_that_may_be_pulled_is_seen_where_tags_may_not_be_listed() {
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
    assert_eq!(verdicts(None).await, "authorized false", "nothing else tells of a repository");
    fake.chart("team/api", "1.0.0", "x").status(403);
    assert_eq!(verdicts(Some("1.0.0")).await, "authorized false");
}
