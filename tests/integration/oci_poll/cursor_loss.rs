//! The cursor of `oci-poll` is lost or corrupt, or its rows come from a backup.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use tokio_postgres::Client;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::edit_lease;
use crate::support::stack::{Stack, instance};

/// Copies all rows into backup tables if `action` is `make`. Otherwise restores them.
async fn backup(client: &Client, action: &str) {
    for table in [
        "k8s_deployment_kinds",
        "helm_registries",
        "helm_charts",
        "observations",
        "discovery_instances",
    ] {
        let sql = format!(
            "SELECT string_agg(column_name::text, ', ') FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = '{table}' AND is_generated = 'NEVER'"
        );
        let columns: String = client.query_one(&sql, &[]).await.unwrap().get(0);
        let sql = match action {
            "make" => format!("CREATE TABLE backup_{table} AS TABLE {table}"),
            _ => format!(
                "TRUNCATE {table} CASCADE; INSERT INTO {table} ({columns}) SELECT {columns} FROM \
                 backup_{table}"
            ),
        };
        client.batch_execute(&sql).await.unwrap();
    }
}

async fn ids(client: &Client) -> HashMap<(String, String, String), uuid::Uuid> {
    let sql = "SELECT r.repo_name, c.image_tag, c.image_digest, c.id::text
        FROM helm_charts AS c JOIN helm_registries AS r ON r.id = c.helm_registry_id";
    let rows = client.query(sql, &[]).await.unwrap();
    let id = |row: &tokio_postgres::Row| row.get::<_, String>(3).parse().unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), id(row))).collect()
}

/// Polls and makes a backup. Then adds a chart, deletes one, and overwrites two tags: one with
/// another chart, one with an image. Returns the rows of the charts that are available afterwards.
async fn a_day_passes(stack: &Stack) -> Vec<String> {
    let push = async |tag: &'static str, content: &'static str| {
        stack.pusher.push_chart("team/api", tag, content).await.unwrap()
    };
    let kept = stack.pusher.push_chart("team/web", "1.0.0", "web").await.unwrap();
    let deleted = push("1.0.0", "a").await;
    for (tag, content) in [("2.0.0", "b"), ("3.0.0", "c"), ("4.0.0", "d")] {
        push(tag, content).await;
    }
    assert_eq!(stack.oci_poll().await.invoke(&stack.instance()).await.unwrap()["added"], 5);
    backup(&stack.rows, "make").await;
    stack.pusher.delete("team/api", &deleted).await.unwrap();
    let moved = push("2.0.0", "moved").await;
    stack.pusher.push_image("team/api", "3.0.0", "image").await.unwrap();
    let same = push("4.0.0", "d").await;
    let new = push("5.0.0", "new").await;
    let mut rows = vec![format!("LOCAL team/web web 1.0.0 {kept} available")];
    for (tag, digest) in [("2.0.0", moved), ("4.0.0", same), ("5.0.0", new)] {
        rows.push(format!("LOCAL team/api api {tag} {digest} available"));
    }
    rows.sort();
    rows
}

async fn available(stack: &Stack) -> Vec<String> {
    stack.charts().await.into_iter().filter(|row| row.ends_with(" available")).collect()
}

/// Fault 20.
#[tokio::test]
async fn lost_cursor_costs_one_pass_and_no_row() {
    let stack = Stack::new().await;
    let today = a_day_passes(&stack).await;
    let before = ids(&stack.rows).await;
    stack.dynamodb.clear().await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(available(&stack).await, today);
    let after = ids(&stack.rows).await;
    assert!(before.iter().all(|(chart, id)| after[chart] == *id));

    // After a second loss, the pass changes nothing.
    stack.dynamodb.clear().await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let changes = [&summary["added"], &summary["unavailable"], &summary["manifests"]];
    assert_eq!((changes, &summary["complete"]), ([&json!(0); 3], &json!(true)), "{summary}");
}

#[tokio::test]
async fn restored_database_is_noticed_and_repaired_in_one_pass() {
    let stack = Stack::new().await;
    let today = a_day_passes(&stack).await;
    let function = stack.oci_poll().await;
    let yesterday = ids(&stack.rows).await;
    // A pass finds the changes of the day, so the cursor has them.
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["added"], 1);
    backup(&stack.rows, "restore").await;
    let summary = function.invoke(&stack.instance()).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(available(&stack).await, today);
    let after = ids(&stack.rows).await;
    assert!(yesterday.iter().all(|(chart, id)| after[chart] == *id));
    assert!(function.log().iter().any(|line| line.contains("a backup was restored")));
}

/// Fault 20.
#[tokio::test]
async fn corrupt_and_older_items_are_dropped_and_rescanned() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team/api", "1.0.0", "a").await.unwrap();
    let function = stack.oci_poll().await;
    function.invoke(&stack.instance()).await.unwrap();
    let rows = stack.charts().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    for (attribute, value) in [
        ("cursor", text("{\"registry\":3")),
        ("cursor", number("5")),
        ("format", number("99")),
        ("format", text("one")),
        ("counter", text("rubbish")),
        ("owner", number("1")),
    ] {
        edit_lease(&stack, &[(attribute, value.clone())]).await;
        let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
        assert_summary!(summary, complete = true, added = 0, "{attribute} {value:?}");
    }
    for rubbish in [vec![], vec![1, 2, 3], vec![7; 18]] {
        for item in 0..16 {
            stack
                .dynamodb
                .put_packed("test", &format!("repositories#{item:x}"), &rubbish)
                .await
                .unwrap();
        }
        let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
        assert_summary!(summary, complete = true, added = 0, "{rubbish:?}");
    }
    assert_eq!(stack.charts().await, rows);
}

#[tokio::test]
async fn every_tag_is_verified_after_a_lost_cursor_over_several_invocations() {
    let stack = Stack::new().await;
    let tags: Vec<String> = (0..1200).map(|n| format!("1.{n}.0")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let fake = FakeRegistry::with_charts(&tags).await;
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    fake.chart("a", tags[1199], "moved").slow(Duration::from_millis(12));
    for tag in &tags[..1199] {
        fake.chart("a", tag, tag).slow(Duration::from_millis(12));
    }
    stack.dynamodb.clear().await.unwrap();
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(4);
    // 1,200 HEAD requests, 4 at a time, 12 ms each, need at least 3.6 s.
    let (mut invocations, mut added) = (0, 0);
    loop {
        let summary =
            stack.oci_poll().await.invoke_within(&instance, Duration::from_secs(3)).await.unwrap();
        (invocations, added) = (invocations + 1, added + summary["added"].as_u64().unwrap());
        if summary["complete"] == true {
            break;
        }
        assert!(invocations < 20, "no progress: {summary}");
    }
    let heads = fake.count("HEAD", "/manifests/");
    println!("{heads} HEAD requests for 1,200 tags in {invocations} invocations");
    assert!(invocations > 1 && added == 1, "{invocations} {added}");
    assert!(heads < 1200 + invocations * 600, "verified over and over: {heads}");
}
