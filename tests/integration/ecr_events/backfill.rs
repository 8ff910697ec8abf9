//! Backfill and repair: `ecr-events` compares ECR's list with the rows, so lost events do not
//! matter. moto serves the lists, and Docker Distribution the content.

use std::time::Duration;

use serde_json::{Value, json};
use tests::function::Function;
use tests::moto::Moto;

use crate::support::assert_summary::assert_summary;
use crate::support::aws_proxy::AwsProxy;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, count, event, failed};

/// Starts `ecr-events` with moto in place of ECR's service.
async fn follower(stack: &Stack, moto: &Moto) -> Function {
    stack.ecr_events_with(&moto.settings()).await
}

async fn push(
    stack: &Stack,
    moto: &Moto,
    repository: &str,
    tag: &str,
    content: &str,
) -> shared::domain::Digest {
    moto.create_repository(repository).await.unwrap();
    moto.put_image(repository, tag).await.unwrap();
    stack.pusher.push_chart(repository, tag, content).await.unwrap()
}

fn backfill() -> Value {
    json!({"backfill": {"region": "us-east-1"}})
}

fn numbers(summary: &Value) -> (u64, u64, bool) {
    let number = |field: &str| summary[field].as_u64().unwrap();
    (number("added"), number("unavailable"), summary["complete"].as_bool().unwrap())
}

#[tokio::test]
async fn first_backfill_imports_only_charts() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    for (repository, tag) in
        [("charts/api", "1.0.0"), ("charts/api", "2.0.0"), ("charts/web", "1.0.0")]
    {
        push(&stack, &moto, repository, tag, tag).await;
    }
    moto.create_repository("images/app").await.unwrap();
    moto.put_image("images/app", "latest").await.unwrap();
    stack.pusher.push_image("images/app", "latest", "x").await.unwrap();
    let function = follower(&stack, &moto).await;
    let only = json!({"backfill": {"region": "us-east-1", "repositories": ["charts/w*"]}});
    assert_eq!(numbers(&function.invoke(&only).await.unwrap()), (1, 0, true));
    let summary = function.invoke(&backfill()).await.unwrap();
    assert_eq!(numbers(&summary), (2, 0, true), "{summary}");
    assert_summary!(summary, repositories = 3, tags = 4, skipped = 1);
    let charts = stack.charts().await;
    assert!(
        charts.len() == 3 && charts.iter().all(|chart| chart.starts_with("ECR charts/")),
        "{charts:?}"
    );
    let sql = "SELECT count(*) FROM discovery_instances, jsonb_each(progress) WHERE name = \
               'ecr-us-east-1'
        AND last_succeeded_at IS NOT NULL AND last_error IS NULL AND value->>'isRunning' = 'false'
        AND last_summary->>'added' = '2'";
    assert_eq!(count(&stack.rows, sql).await, 2, "each of the two backfills has its own progress");
}

#[tokio::test]
async fn import_changes_nothing_in_a_database_of_our_own() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    push(&stack, &moto, "charts/api", "1.0.0", "a").await;
    let function = follower(&stack, &moto).await;
    let import = json!({"backfill": {"region": "us-east-1", "repositories": ["charts/w*"], "import":
        true}});
    let summary = function.invoke(&import).await.unwrap();
    assert_eq!(numbers(&summary), (0, 0, true));
    assert_eq!(summary.get("wouldAdd"), None, "{summary}");
    let remembered = "SELECT count(ecr_imports) FROM discovery_layout";
    assert_eq!(count(&stack.rows, remembered).await, 0);
    let summary = function.invoke(&backfill()).await.unwrap();
    assert_eq!(numbers(&summary), (1, 0, true));
    assert_eq!(summary.get("wouldAdd"), None, "{summary}");
}

/// Fault 14.
#[tokio::test]
async fn due_backfill_repairs_lost_events() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let deleted = push(&stack, &moto, "charts/api", "1.0.0", "a").await;
    push(&stack, &moto, "charts/api", "2.0.0", "b").await;
    push(&stack, &moto, "charts/gone", "1.0.0", "c").await;
    let function = follower(&stack, &moto).await;
    let repair = json!({"backfill": {"region": "us-east-1", "unlessWithin": "24h"}});
    assert_eq!(numbers(&function.invoke(&repair).await.unwrap()), (3, 0, true));

    // All events are lost: of a deletion, a moved tag, a push and a deleted repository.
    stack.pusher.delete("charts/api", &deleted).await.unwrap();
    moto.delete_image("charts/api", "1.0.0").await.unwrap();
    let moved = push(&stack, &moto, "charts/api", "2.0.0", "moved").await;
    let new = push(&stack, &moto, "charts/web", "3.0.0", "new").await;
    moto.delete_repository("charts/gone").await.unwrap();
    let gone = stack.charts().await.into_iter().find(|row| row.contains("charts/gone")).unwrap();
    let digest = gone.split(' ').nth(4).unwrap().parse().unwrap();
    stack.pusher.delete("charts/gone", &digest).await.unwrap();

    let before = stack.registry.requests().len();
    let early = function.invoke(&repair).await.unwrap();
    assert_eq!((numbers(&early), &early["repositories"]), ((0, 0, true), &json!(0)), "{early}");
    assert_eq!(stack.registry.requests().len(), before);
    let healthy = "SELECT count(*) FROM discovery_instances WHERE last_summary->>'added' = '3'";
    assert_eq!(count(&stack.rows, healthy).await, 1, "the health describes the last run");
    let a_day = "UPDATE discovery_instances SET progress =
        (SELECT jsonb_object_agg(key, jsonb_set(value, '{coveredUntil}', '0')) FROM \
        jsonb_each(progress))";
    stack.rows.execute(a_day, &[]).await.unwrap();
    let summary = follower(&stack, &moto).await.invoke(&repair).await.unwrap();
    assert_eq!(numbers(&summary), (2, 3, true), "{summary}");
    let charts = stack.charts().await;
    let available: Vec<&String> = charts.iter().filter(|row| row.ends_with(" available")).collect();
    let expected = [
        format!("ECR charts/api api 2.0.0 {moved} available"),
        format!("ECR charts/web web 3.0.0 {new} available"),
    ];
    assert_eq!(available, expected.iter().collect::<Vec<_>>());
}

/// Fault 26.
#[tokio::test]
async fn backfill_that_runs_out_of_time_is_resumed() {
    const REPOSITORIES: usize = 6;
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let fake = FakeRegistry::start().await;
    for n in 0..REPOSITORIES {
        let name = format!("charts/r{n}");
        moto.create_repository(&name).await.unwrap();
        for version in ["1.0.0", "2.0.0"] {
            moto.put_image(&name, version).await.unwrap();
            fake.chart(&name, version, &format!("{name} {version}"))
                .slow(Duration::from_millis(400));
        }
    }
    let url = fake.url();
    let settings = [&moto.settings()[..], &[("ECR_REGISTRY_ENDPOINT", url.as_str())]].concat();
    let (mut invocations, mut added) = (0, 0);
    loop {
        let function = stack.ecr_events_with(&settings).await;
        let summary = function.invoke_within(&backfill(), Duration::from_secs(4)).await.unwrap();
        (invocations, added) = (invocations + 1, added + numbers(&summary).0);
        if summary["complete"] == true {
            break;
        }
        assert!(invocations < 10, "no progress: {summary}");
    }
    assert!(invocations > 1 && added == 2 * REPOSITORIES as u64, "{invocations} {added}");
    // The repository that an invocation interrupts is compared again.
    let fetched = fake.count("GET", "/manifests/");
    assert!(fetched < 2 * (REPOSITORIES + invocations), "{fetched} in {invocations} invocations");
}

#[tokio::test]
async fn one_chart_can_be_rescanned() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    let rescan = json!({"rescan": {"registry": crate::support::stack::ECR, "repository":
        "my-org/api", "tag": "1.0.0"}});
    let answer = function.invoke(&rescan).await.unwrap();
    assert_eq!(answer, json!({"manifests": 1, "added": 1, "unavailable": 0, "broken": 0}));
    stack.pusher.delete("my-org/api", &digest).await.unwrap();
    let gone = json!({"manifests": 1, "added": 0, "unavailable": 1, "broken": 0});
    assert_eq!(function.invoke(&rescan).await.unwrap(), gone);
}

#[tokio::test]
async fn unknown_payload_is_refused_with_the_accepted_shapes() {
    let stack = Stack::new().await;
    let error =
        stack.ecr_events().await.invoke(&json!({"backfil": {}})).await.unwrap_err().to_string();
    for shape in ["SQS batch", "EventBridge event", "backfill", "rescan"] {
        assert!(error.contains(shape) && !error.contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn ten_records_log_in_to_ecr_once() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let aws = AwsProxy::start(moto.settings()[0].1).await;
    let fake = FakeRegistry::start().await;
    let login = "Basic QVdTOjEyMzQ1Njc4OTAxMi1hdXRoLXRva2Vu";
    let mut messages = Vec::new();
    for n in 0..10 {
        let tag = format!("1.{n}.0");
        fake.chart("my-org/api", &tag, &tag).needs(login, "Basic realm=\"ecr\"");
        messages.push(
            event("PUSH", "my-org/api", Some(&tag), &shared::domain::Digest::sha256(b""))
                .to_string(),
        );
    }
    let url = fake.url();
    let settings = [
        &moto.settings()[..],
        &[("AWS_ENDPOINT_URL_ECR", aws.url()), ("ECR_REGISTRY_ENDPOINT", &url)],
    ]
    .concat();
    let function = stack.ecr_events_with(&settings).await;
    assert_eq!(function.invoke(&batch(&messages)).await.unwrap(), failed(&[]));
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await, 10);
    assert_eq!(aws.calls(), ["GetAuthorizationToken"]);
    function.invoke(&batch(&messages)).await.unwrap();
    assert_eq!(aws.calls().len(), 1, "a token is valid for hours");
}

#[tokio::test]
async fn last_repository_of_a_registry_can_be_deleted() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let digest = push(&stack, &moto, "charts/api", "1.0.0", "a").await;
    let function = follower(&stack, &moto).await;
    assert_eq!(numbers(&function.invoke(&backfill()).await.unwrap()), (1, 0, true));
    moto.delete_repository("charts/api").await.unwrap();
    stack.pusher.delete("charts/api", &digest).await.unwrap();
    assert_eq!(numbers(&function.invoke(&backfill()).await.unwrap()), (0, 1, true));
}

#[tokio::test]
async fn repair_corrects_the_rows_of_repositories_that_are_not_selected() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let deleted = push(&stack, &moto, "team/x/old", "1.0.0", "a").await;
    push(&stack, &moto, "team/x/old", "2.0.0", "b").await;
    let by_hand = push(&stack, &moto, "zoo/gone", "1.0.0", "c").await;
    follower(&stack, &moto).await.invoke(&backfill()).await.unwrap();

    // The rows are wrong now. One of them has no observation.
    stack.pusher.delete("team/x/old", &deleted).await.unwrap();
    moto.delete_image("team/x/old", "1.0.0").await.unwrap();
    let moved = push(&stack, &moto, "team/x/old", "2.0.0", "moved").await;
    push(&stack, &moto, "team/x/old", "3.0.0", "new").await;
    let selected = push(&stack, &moto, "team/api", "1.0.0", "d").await;
    moto.delete_repository("zoo/gone").await.unwrap();
    stack.pusher.delete("zoo/gone", &by_hand).await.unwrap();
    let forget = "DELETE FROM observations WHERE repo_name = 'zoo/gone'";
    stack.rows.execute(forget, &[]).await.unwrap();

    let selection = json!({"repositories": ["team/*"]}).to_string();
    let settings = [&moto.settings()[..], &[("ECR_SELECTION", selection.as_str())]].concat();
    let function = stack.ecr_events_with(&settings).await;
    let summary = function.invoke(&backfill()).await.unwrap();
    assert_eq!(numbers(&summary), (2, 3, true), "{summary}");
    let charts = stack.charts().await;
    let available: Vec<&String> = charts.iter().filter(|row| row.ends_with(" available")).collect();
    let expected = [
        format!("ECR team/api api 1.0.0 {selected} available"),
        format!("ECR team/x/old old 2.0.0 {moved} available"),
    ];
    assert_eq!(available, expected.iter().collect::<Vec<_>>(), "no chart is added to team/x/old");
}

#[tokio::test]
async fn two_backfills_at_once_end_as_one() {
    const REPOSITORIES: usize = 12;
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    for n in 0..REPOSITORIES {
        push(&stack, &moto, &format!("charts/r{n:02}"), "1.0.0", "a").await;
    }
    let pair = [follower(&stack, &moto).await, follower(&stack, &moto).await];
    let repair = json!({"backfill": {"region": "us-east-1", "unlessWithin": "24h"}});
    let (one, other) = tokio::join!(pair[0].invoke(&repair), pair[1].invoke(&repair));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((&one["complete"], &other["complete"]), (&json!(true), &json!(true)));
    assert_eq!(numbers(&one).0 + numbers(&other).0, REPOSITORIES as u64, "{one} {other}");
    assert_eq!(stack.charts().await.len(), REPOSITORIES);
    let ended = "SELECT count(*) FROM discovery_instances, jsonb_each(progress)
        WHERE value->>'isRunning' = 'false' AND (value->>'coveredUntil')::bigint > 0";
    assert_eq!(count(&stack.rows, ended).await, 1);
    let next = pair[0].invoke(&repair).await.unwrap();
    assert_eq!(next["repositories"], 0, "no run is due: {next}");
}

/// Makes the end of the last run older than the pause between two early ones.
async fn age_the_last_run(stack: &Stack) {
    let age = "UPDATE discovery_instances SET progress = (
        SELECT jsonb_object_agg(key, jsonb_set(value, '{endedAt}', '0'))
        FROM jsonb_each(progress))";
    stack.rows.execute(age, &[]).await.unwrap();
}

#[tokio::test]
async fn late_message_brings_the_repair_forward() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let digest = push(&stack, &moto, "charts/api", "1.0.0", "a").await;
    let function = follower(&stack, &moto).await;
    let repair = json!({"backfill": {"region": "us-east-1", "unlessWithin": "24h"}});
    assert_eq!(numbers(&function.invoke(&repair).await.unwrap()), (1, 0, true));
    age_the_last_run(&stack).await;
    push(&stack, &moto, "charts/api", "2.0.0", "its event is lost").await;

    let received = |count: &str| {
        let mut message = batch(&[event("PUSH", "charts/api", Some("1.0.0"), &digest).to_string()]);
        message["Records"][0]["attributes"] = json!({"ApproximateReceiveCount": count});
        message
    };
    assert_eq!(function.invoke(&received("1")).await.unwrap(), failed(&[]));
    assert_eq!(numbers(&function.invoke(&repair).await.unwrap()), (0, 0, true), "not due");
    assert_eq!(function.invoke(&received("4")).await.unwrap(), failed(&[]));
    assert_eq!(numbers(&function.invoke(&repair).await.unwrap()), (1, 0, true));
    age_the_last_run(&stack).await;
    let next = function.invoke(&repair).await.unwrap();
    assert_eq!(next["repositories"], 0, "the run covers the loss: {next}");
}

#[tokio::test]
async fn repair_starts_early_after_the_schedule_was_silent() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    push(&stack, &moto, "charts/api", "1.0.0", "a").await;
    let function = follower(&stack, &moto).await;
    let repair = json!({"backfill": {"region": "us-east-1", "unlessWithin": "24h"}});
    assert_eq!(numbers(&function.invoke(&repair).await.unwrap()), (1, 0, true));
    age_the_last_run(&stack).await;
    push(&stack, &moto, "charts/api", "2.0.0", "its event is lost").await;
    let silent = async |minutes: i32| {
        let asked = "UPDATE discovery_instances
            SET repair_asked_at = clock_timestamp() - make_interval(mins => $1)";
        stack.rows.execute(asked, &[&minutes]).await.unwrap();
        numbers(&function.invoke(&repair).await.unwrap())
    };
    assert_eq!(silent(12).await, (0, 0, true), "one schedule was late");
    assert_eq!(silent(40).await, (1, 0, true));
}
