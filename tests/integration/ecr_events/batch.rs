//! `ecr-events` with a real registry behind ECR's domain: what each event does to the rows, and
//! what it does not.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use shared::domain::Digest;

use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, count, event, failed};

fn push(repository: &str, tag: &str, digest: &Digest) -> String {
    event("PUSH", repository, Some(tag), digest).to_string()
}

fn delete(repository: &str, tag: Option<&str>, digest: &Digest) -> String {
    event("DELETE", repository, tag, digest).to_string()
}

/// A push of something with another media type than Helm's.
fn push_image(repository: &str, tag: &str, digest: &Digest) -> String {
    let mut event = event("PUSH", repository, Some(tag), digest);
    event["detail"]["artifact-media-type"] = json!("application/vnd.oci.image.config.v1+json");
    event.to_string()
}

#[tokio::test]
async fn a_push_becomes_an_available_chart_as_old_as_the_push() {
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
async fn one_event_may_come_without_a_batch() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    function.invoke(&event("PUSH", "my-org/api", Some("1.0.0"), &digest)).await.unwrap();
    assert_eq!(stack.charts().await.len(), 1);
}

#[tokio::test]
async fn an_event_is_a_hint_and_the_registry_decides() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let claimed = Digest::sha256(b"never pushed");
    // Pushed says the event, and the registry knows nothing of it.
    let answer = function.invoke(&batch(&[push("my-org/api", "1.0.0", &claimed)])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    assert_eq!(stack.charts().await, Vec::<String>::new());
    // Another digest says the event; deleted says the other one. The registry has what it has.
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let events =
        [push("my-org/api", "1.0.0", &claimed), delete("my-org/api", Some("1.0.0"), &claimed)];
    assert_eq!(function.invoke(&batch(&events)).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {digest} available")]);
}

#[tokio::test]
async fn a_tag_pushed_again_with_other_content_moves_to_a_new_row() {
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
async fn two_tags_of_one_digest_are_two_rows_and_a_tagless_delete_takes_both() {
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
async fn a_chart_pushed_again_after_its_deletion_is_the_same_row() {
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
async fn a_row_that_an_admin_deleted_stays_deleted() {
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
async fn the_sample_batch_fails_by_its_bad_message_alone() {
    let stack = Stack::new().await;
    let sample = tests::tools::workspace().join("events/ecr-events-sqs-batch.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let answer = stack.ecr_events().await.invoke(&sample).await.unwrap();
    assert_eq!(answer, failed(&["059f36b4-87a3-44ab-83d2-661970000001"]));
}

/// Hostile input 36.
#[tokio::test]
async fn only_the_bad_message_of_ten_fails() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let mut messages = Vec::new();
    for n in 0..9 {
        let tag = format!("1.{n}.0");
        let digest = stack.pusher.push_chart("my-org/api", &tag, &tag).await.unwrap();
        messages.push(push("my-org/api", &tag, &digest));
    }
    messages.insert(4, "not JSON".to_owned());
    let mut events = batch(&messages);
    assert_eq!(function.invoke(&events).await.unwrap(), failed(&["m4"]));
    assert_eq!(stack.charts().await.len(), 9);
    // Not even a text.
    events["Records"][4]["body"] = json!({"detail": [1]});
    events["Records"][5]["attributes"] = json!("none");
    assert_eq!(function.invoke(&events).await.unwrap(), failed(&["m4", "m5"]));
}

/// Fault 12.
#[tokio::test]
async fn repeated_batches_of_four_functions_make_the_same_rows() {
    let stack = Stack::new().await;
    let mut messages = Vec::new();
    let mut expected = BTreeSet::new();
    for n in 0..5 {
        let digest = stack
            .pusher
            .push_chart("my-org/api", &format!("1.{n}.0"), &format!("{n}"))
            .await
            .unwrap();
        messages.push(push("my-org/api", &format!("1.{n}.0"), &digest));
        expected.insert(format!("ECR my-org/api api 1.{n}.0 {digest} available"));
        let digest = stack.pusher.push_chart(&format!("team-{n}/web"), "1.0.0", "w").await.unwrap();
        messages.push(push(&format!("team-{n}/web"), "1.0.0", &digest));
    }
    let events = batch(&messages);
    let four = [
        stack.ecr_events().await,
        stack.ecr_events().await,
        stack.ecr_events().await,
        stack.ecr_events().await,
    ];
    let runs = four.iter().map(|function| async {
        for _ in 0..10 {
            assert_eq!(function.invoke(&events).await.unwrap(), failed(&[]));
        }
    });
    futures_util::future::join_all(runs).await;

    let charts = stack.charts().await;
    assert_eq!(charts.len(), 10, "{charts:?}");
    let api: BTreeSet<String> =
        charts.iter().filter(|chart| chart.contains("/api")).cloned().collect();
    assert_eq!(api, expected);
    assert!(charts.iter().all(|chart| chart.ends_with("available")), "{charts:?}");
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_registries").await, 6);
    // "api", "web" for the first team that came, and the full name for each other team.
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM k8s_deployment_kinds").await, 6);
}

/// Fault 13.
#[tokio::test]
async fn two_first_pushes_at_once_make_one_kind_and_one_registry() {
    let stack = Stack::new().await;
    let (one, other) = (stack.ecr_events().await, stack.ecr_events().await);
    let first = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let second = stack.pusher.push_chart("my-org/api", "2.0.0", "b").await.unwrap();
    let (first, second) = (
        batch(&[push("my-org/api", "1.0.0", &first)]),
        batch(&[push("my-org/api", "2.0.0", &second)]),
    );
    let (one, other) = tokio::join!(one.invoke(&first), other.invoke(&second));
    assert_eq!((one.unwrap(), other.unwrap()), (failed(&[]), failed(&[])));
    let counts = "SELECT (SELECT count(*) FROM k8s_deployment_kinds) * 100
        + (SELECT count(*) FROM helm_registries) * 10 + (SELECT count(*) FROM helm_charts)";
    assert_eq!(count(&stack.rows, counts).await, 112);
}

#[tokio::test]
async fn a_push_of_an_image_costs_no_request_unless_it_overwrites_a_chart() {
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
async fn a_repository_that_does_not_exist_any_more_takes_its_charts_with_it() {
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
    assert_eq!(answer, failed(&[]), "it is no failure");
    assert!(stack.charts().await[0].ends_with(" gone"));
}

#[tokio::test]
async fn an_events_own_region_and_partition_make_the_domain() {
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

#[tokio::test]
async fn the_messages_of_a_batch_are_looked_up_at_the_same_time() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let tags: Vec<String> = (0..10).map(|n| format!("1.{n}.0")).collect();
    for tag in &tags {
        fake.chart("my-org/api", tag, tag).gated();
    }
    let function = stack.ecr_events_at(&fake.url()).await;
    let messages: Vec<String> =
        tags.iter().map(|tag| push("my-org/api", tag, &Digest::sha256(b""))).collect();
    let messages = batch(&messages);
    let together = async {
        // None is answered before all were asked for.
        while fake.asked().len() < tags.len() {
            tokio::task::yield_now().await;
        }
        fake.open();
    };
    let (answer, ()) = tokio::join!(function.invoke(&messages), together);
    assert_eq!(answer.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await.len(), 10);
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
        changed("/detail-type", json!("ECR Image Scan")),
        changed("/detail/image-tag", Value::Null),
    ];
    assert_eq!(function.invoke(&batch(&events)).await.unwrap(), failed(&[]));
    assert_eq!((stack.charts().await.len(), stack.manifest_requests()), (0, 0));
}

/// Fault 25.
#[tokio::test]
async fn hanging_look_fails_only_its_own_message() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}});
    let digest = Digest::sha256(chart.to_string().as_bytes());
    fake.answer("/v2/my-org/api/manifests/1.0.0", chart.clone());
    fake.answer("/v2/my-org/api/manifests/2.0.0", chart.clone()).hang();
    fake.answer("/v2/my-org/api/manifests/3.0.0", chart);
    fake.answer("/v2/my-org/api/manifests/4.0.0", json!("")).endless();
    let function = stack.ecr_events_at(&fake.url()).await;
    let messages = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"].map(|tag| push("my-org/api", tag, &digest));
    let answer = function.invoke_within(&batch(&messages), Duration::from_secs(3)).await.unwrap();
    // Coming again helps the one that hung, and not the one past a limit.
    assert_eq!(answer, failed(&["m1"]));
    assert_eq!(stack.charts().await.len(), 2);
}

#[tokio::test]
async fn a_registry_that_is_away_fails_its_messages_and_says_so_once() {
    let stack = Stack::new().await;
    let gone = FakeRegistry::start().await.url();
    let function = stack.ecr_events_at(&gone).await;
    let digest = Digest::sha256(b"");
    let image = push_image("my-org/api", "1.0.0", &digest);
    let answer =
        function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest), image])).await.unwrap();
    assert_eq!(answer, failed(&["m0"]));
    let said: Vec<String> =
        function.log().into_iter().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("123456789012.dkr.ecr") && said[0].contains("refused"), "{said:?}");
}

#[tokio::test]
async fn a_registry_that_refuses_is_never_taken_for_an_empty_one() {
    let stack = Stack::new().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    stack.ecr_events().await.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    let available = stack.charts().await;

    let fake = FakeRegistry::start().await;
    let function = stack.ecr_events_at(&fake.url()).await;
    let unknown = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
    for (status, body) in [
        (401, unknown.clone()),
        (403, unknown.clone()),
        (429, unknown.clone()),
        (500, unknown.clone()),
        (404, json!("<html>not here</html>")),
        (200, json!("<html>welcome</html>")),
    ] {
        fake.answer("/v2/my-org/api/manifests/1.0.0", body).status(status);
        let answer =
            function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
        assert_eq!(answer, failed(&["m0"]), "{status}");
        assert_eq!(stack.charts().await, available, "{status}");
    }
    // In ECR alone a repository that does not exist is an answer.
    let no_repository = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/my-org/api/manifests/1.0.0", no_repository).status(404);
    let answer = function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {digest} gone")]);
}

#[tokio::test]
async fn an_unknown_payload_is_told_what_is_accepted() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    for payload in [json!({}), json!([]), json!("x"), json!({"records": []})] {
        let error = function.invoke(&payload).await.unwrap_err().to_string();
        assert!(error.contains("Records") && error.contains("EventBridge"), "{error}");
    }
    let nameless = json!({"Records": [{"body": "not JSON"}]});
    let error = function.invoke(&nameless).await.unwrap_err().to_string();
    assert!(error.contains("messageId"), "{error}");
}
