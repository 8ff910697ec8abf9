//! `ecr-events` with a real registry in place of ECR: the changes of rows that each event causes.

use serde_json::{Value, json};
use shared::domain::Digest;

use crate::support::ecr_messages::{delete, push, push_image};
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, count, event, failed};

#[tokio::test]
async fn push_makes_an_available_chart_dated_by_the_event() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let answer = function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {digest} available")]);
    let row =
        "SELECT count(*) FROM helm_charts JOIN helm_registries AS r ON r.id = helm_registry_id
        WHERE helm_charts.created_at = '2026-11-16T01:54:34Z' AND r.provider = 'Ecr' AND r.fa_icon \
        = 'question'";
    assert_eq!(count(&stack.rows, row).await, 1);
}

#[tokio::test]
async fn single_event_is_accepted_without_a_batch() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&event("PUSH", "my-org/api", Some("1.0.0"), &digest)).await.unwrap();
    assert_eq!(stack.charts().await.len(), 1);
}

#[tokio::test]
async fn registry_decides_and_event_is_only_a_hint() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let claimed = Digest::sha256(b"never pushed");
    // The event reports a push, but the registry does not have the tag.
    let answer = function.invoke(&batch(&[push("my-org/api", "1.0.0", &claimed)])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    assert_eq!(stack.charts().await, Vec::<String>::new());
    // One event names another digest, and the other reports a deletion. The registry still has the
    // chart.
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let events =
        [push("my-org/api", "1.0.0", &claimed), delete("my-org/api", Some("1.0.0"), &claimed)];
    assert_eq!(function.invoke(&batch(&events)).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {digest} available")]);
}

#[tokio::test]
async fn tag_pushed_with_other_content_moves_to_a_new_row() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let old = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&batch(&[push("my-org/api", "1.0.0", &old)])).await.unwrap();
    let new = stack.pusher.push_chart("my-org/api", "1.0.0", "b").await.unwrap();
    function.invoke(&batch(&[push("my-org/api", "1.0.0", &new)])).await.unwrap();
    let mut expected = [
        format!("ECR my-org/api api 1.0.0 {new} available"),
        format!("ECR my-org/api api 1.0.0 {old} gone"),
    ];
    expected.sort();
    assert_eq!(stack.charts().await, expected);
}

#[tokio::test]
async fn delete_without_a_tag_retires_both_tags_of_a_digest() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    stack.pusher.push_chart("my-org/api", "stable", "a").await.unwrap();
    let other = stack.pusher.push_chart("my-org/api", "2.0.0", "b").await.unwrap();
    let events = [("1.0.0", &digest), ("stable", &digest), ("2.0.0", &other)];
    let events = events.map(|(tag, digest)| push("my-org/api", tag, digest));
    function.invoke(&batch(&events)).await.unwrap();
    let available = |tag, digest| format!("ECR my-org/api api {tag} {digest} available");
    let all =
        [available("1.0.0", &digest), available("2.0.0", &other), available("stable", &digest)];
    assert_eq!(stack.charts().await, all);

    stack.pusher.delete("my-org/api", &digest).await.unwrap();
    let answer = function.invoke(&batch(&[delete("my-org/api", None, &digest)])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    let gone = |tag| format!("ECR my-org/api api {tag} {digest} gone");
    assert_eq!(stack.charts().await, [gone("1.0.0"), available("2.0.0", &other), gone("stable")]);
}

#[tokio::test]
async fn chart_pushed_after_its_deletion_keeps_its_row() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let id = "SELECT id::text || ' ' || available FROM helm_charts";
    let row = async || stack.rows.query_one(id, &[]).await.unwrap().get::<_, String>(0);

    function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    let pushed = row().await;
    stack.pusher.delete("my-org/api", &digest).await.unwrap();
    function.invoke(&batch(&[delete("my-org/api", Some("1.0.0"), &digest)])).await.unwrap();
    let deleted = row().await;
    stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    assert_eq!(deleted, pushed.replace("true", "false"));
    assert_eq!(row().await, pushed);
}

#[tokio::test]
async fn row_deleted_by_an_admin_stays_deleted() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let events = batch(&[push("my-org/api", "1.0.0", &digest)]);
    function.invoke(&events).await.unwrap();
    stack.rows.execute("DELETE FROM helm_charts", &[]).await.unwrap();
    assert_eq!(function.invoke(&events).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await, Vec::<String>::new());
}

#[tokio::test]
async fn push_of_an_image_costs_a_request_only_if_it_overwrites_a_chart() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let chart = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&batch(&[push("my-org/api", "1.0.0", &chart)])).await.unwrap();

    let image = stack.pusher.push_image("my-org/api", "nightly", "i").await.unwrap();
    let before = stack.registry.requests().len();
    let events: Vec<String> = vec![
        push_image("my-org/api", "nightly", &image),
        push_image("my-org/web", "1.0.0", &image),
        push_image("my-org/api", "1.0.1", &image),
    ];
    assert_eq!(function.invoke(&batch(&events)).await.unwrap(), failed(&[]));
    assert_eq!(stack.registry.requests().len(), before);

    let image = stack.pusher.push_image("my-org/api", "1.0.0", "i").await.unwrap();
    let before = stack.manifest_requests();
    assert_eq!(
        function.invoke(&batch(&[push_image("my-org/api", "1.0.0", &image)])).await.unwrap(),
        failed(&[])
    );
    assert_eq!(stack.manifest_requests(), before + 1);
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {chart} gone")]);
}

#[tokio::test]
async fn deleted_repository_retires_its_charts() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.chart("my-org/api", "1.0.0", "a");
    let function = stack.ecr_events_at(&fake.url()).await;
    let digest = Digest::sha256(b"");
    function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    let unknown = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/my-org/api/manifests/1.0.0", unknown.clone()).status(404);
    fake.answer(&format!("/v2/my-org/api/manifests/{digest}"), unknown).status(404);
    let answer =
        function.invoke(&batch(&[delete("my-org/api", Some("1.0.0"), &digest)])).await.unwrap();
    assert_eq!(answer, failed(&[]), "a deleted repository is not a failure");
    assert!(stack.charts().await[0].ends_with(" gone"));
}

#[tokio::test]
async fn region_of_the_event_makes_the_domain() {
    let stack = Stack::new().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let events = [
        ("us-east-1", "amazonaws.com"),
        ("eu-west-3", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
    ];
    let messages: Vec<String> = events
        .iter()
        .map(|(region, _)| {
            let mut event = event("PUSH", "my-org/api", Some("1.0.0"), &digest);
            event["region"] = json!(region);
            event.to_string()
        })
        .collect();
    assert_eq!(stack.ecr_events().await.invoke(&batch(&messages)).await.unwrap(), failed(&[]));
    let charts = stack.charts().await;
    for (region, suffix) in &events[1..] {
        let domain = format!("123456789012.dkr.ecr.{region}.{suffix} my-org/api");
        assert!(charts.iter().any(|chart| chart.starts_with(&domain)), "{charts:?}");
    }
    assert_eq!(charts.len(), 3);
}

/// Hostile input 35.
#[tokio::test]
async fn failed_foreign_and_other_events_are_skipped() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut event = event("PUSH", "my-org/api", Some("1.0.0"), &digest);
        *event.pointer_mut(pointer).unwrap() = value;
        event.to_string()
    };
    let events = [
        changed("/detail/result", json!("FAILURE")),
        changed("/source", json!("aws.s3")),
        changed("/detail", json!({"repository-name": "my-org/api", "scan-status": "COMPLETE"})),
        changed("/detail/image-tag", Value::Null),
    ];
    assert_eq!(function.invoke(&batch(&events)).await.unwrap(), failed(&[]));
    assert_eq!((stack.charts().await.len(), stack.manifest_requests()), (0, 0));
}

#[tokio::test]
async fn event_of_a_repository_that_is_not_selected_is_skipped() {
    let stack = Stack::new().await;
    let selection = json!({"repositories": ["team/*"], "exclude": ["team/old"]}).to_string();
    let function = stack.ecr_events_with(&[("ECR_SELECTION", &selection)]).await;
    let mut messages = Vec::new();
    for repository in ["team/api", "team/x/y", "team/old", "other/api"] {
        let digest = stack.pusher.push_chart(repository, "1.0.0", "a").await.unwrap();
        messages.push(push(repository, "1.0.0", &digest));
    }
    assert_eq!(function.invoke(&batch(&messages)).await.unwrap(), failed(&[]));
    let charts = stack.charts().await;
    assert!(charts.len() == 1 && charts[0].starts_with("ECR team/api "), "{charts:?}");
    let is_look = |request: &String| request.starts_with("GET") && request.contains("/manifests/");
    let looks: Vec<String> = stack.registry.requests().into_iter().filter(is_look).collect();
    assert!(looks.iter().all(|request| request.contains("/team/api/")), "{looks:?}");
}

/// Case from the field 21.
#[tokio::test]
async fn event_of_any_type_that_names_a_tag_is_a_hint() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let mut messages = Vec::new();
    for (tag, kind, action) in [
        ("1.0.0", "ECR Pull Through Cache Action", Value::Null),
        ("2.0.0", "ECR Image Action", json!("SOMETHING_NEW")),
        ("3.0.0", "ECR Artifact Action", json!("PUSH")),
    ] {
        let digest = stack.pusher.push_chart("my-org/api", tag, tag).await.unwrap();
        let mut event = event("PUSH", "my-org/api", Some(tag), &digest);
        event["detail-type"] = json!(kind);
        event["detail"]["action-type"] = action;
        event["detail"]["artifact-media-type"] = json!("");
        messages.push(event.to_string());
    }
    assert_eq!(function.invoke(&batch(&messages)).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await.len(), 3);
}

/// Case from the field 21.
#[tokio::test]
async fn archived_chart_becomes_unavailable_and_restored_one_returns() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    let changed = event("UPDATE_STORAGE_CLASS", "my-org/api", None, &digest).to_string();
    let row = format!("ECR my-org/api api 1.0.0 {digest}");

    // An archived manifest answers 404, as a deleted one does.
    stack.pusher.delete("my-org/api", &digest).await.unwrap();
    function.invoke(&batch(std::slice::from_ref(&changed))).await.unwrap();
    assert_eq!(stack.charts().await, [format!("{row} gone")]);
    stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&batch(&[changed])).await.unwrap();
    assert_eq!(stack.charts().await, [format!("{row} available")]);
}
