//! Repositories that hang, fail or have too many tags: they wait, and no other waits for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::{forget_closed, lease};
use crate::support::oci_poll::{available, let_faults_be_due, poll};
use crate::support::stack::{Stack, instance};

/// More repositories than a pass visits together.
const MANY: usize = 110;

/// Starts a registry with the repositories `a`, `r000`, `r001`, … Only `a` has no tag list yet.
async fn registry_with_one_more() -> (FakeRegistry, Vec<String>) {
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..MANY).map(|n| format!("r{n:03}")).collect();
    let all: Vec<&str> = std::iter::once("a").chain(names.iter().map(String::as_str)).collect();
    fake.catalog(&all);
    for name in &names {
        fake.tags(name, &[]);
    }
    (fake, names)
}

/// Counts the repositories whose tags were never listed.
fn unvisited(fake: &FakeRegistry, names: &[String]) -> usize {
    let asked = fake.asked();
    let is_unvisited = |name: &&String| {
        let list = format!("/v2/{name}/tags/list?n=1000");
        asked.iter().all(|asked| asked.path != list)
    };
    names.iter().filter(is_unvisited).count()
}

fn instance_with_concurrency(fake: &FakeRegistry, concurrency: usize) -> Value {
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(concurrency);
    instance
}

async fn health(stack: &Stack) -> String {
    let sql = "SELECT coalesce(last_error, '') FROM discovery_instances WHERE name = 'test'";
    stack.rows.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn repository_whose_manifests_hang_waits_and_the_others_are_visited() {
    let stack = Stack::new().await;
    let (fake, names) = registry_with_one_more().await;
    let tags: Vec<String> = (0..65).map(|n| format!("1.{n}.0")).collect();
    fake.tags("a", &tags.iter().map(String::as_str).collect::<Vec<_>>());
    for tag in &tags {
        fake.chart("a", tag, tag).hang();
    }
    let instance = instance_with_concurrency(&fake, 4);
    let mut function = stack.oci_poll().await;
    let short = Duration::from_secs(10);
    let first = function.invoke_within(&instance, short).await.unwrap();
    let errors = first["errors"].to_string();
    assert!(errors.contains("a: ") && errors.contains("gave no answer in time twice"), "{first}");
    if first["errors"].to_string().contains("time was over") {
        function = stack.oci_poll().await;
        function.invoke_within(&instance, short).await.unwrap();
    }
    assert_eq!(unvisited(&fake, &names), 0);
    let shown = health(&stack).await;
    assert!(shown.starts_with("1 repositories wait for their next visit, "), "{shown}");
    assert!(shown.contains(": a: ") && shown.contains("a gave no answer in time twice"), "{shown}");
    assert!(shown.contains(" (next try at 2"), "{shown}");

    // The repository gets no request until its next visit is due.
    let asked = fake.count("GET", "/v2/a/");
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, complete = true, errors = json!([]));
    assert_eq!(fake.count("GET", "/v2/a/"), asked);
    for tag in &tags {
        fake.chart("a", tag, tag);
    }
    let_faults_be_due(&stack).await;
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 65, waiting = 0, complete = true);
    assert_eq!(health(&stack).await, "");
}

#[tokio::test]
async fn list_that_fails_is_asked_for_ever_more_rarely() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.catalog(&["a", "b"]);
    fake.tags("b", &[]).status(403);
    let lists = || fake.count("GET", "/v2/b/tags/list");
    let first = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(first, added = 1, waiting = 1, complete = false);
    let again = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(again, waiting = 1, errors = json!([]), complete = true);
    assert_eq!(lists(), 1, "the repository waits for its next visit");
    let_faults_be_due(&stack).await;
    poll(&stack.oci_poll().await, &fake).await;
    let twice = "SELECT (next_at - last_at)::text FROM reference_faults WHERE repo_name = 'b'";
    let wait: String = stack.rows.query_one(twice, &[]).await.unwrap().get(0);
    assert_eq!((lists(), wait.as_str()), (2, "00:00:20"));

    fake.tags("b", &["1.0.0"]);
    fake.chart("b", "1.0.0", "b");
    let_faults_be_due(&stack).await;
    let found = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(found, added = 1, waiting = 0, complete = true);
}

#[tokio::test]
async fn repository_with_too_many_tags_leaves_time_for_the_others() {
    let stack = Stack::new().await;
    let (fake, names) = registry_with_one_more().await;
    let tags: Vec<String> = (0..400).map(|n| format!("1.{n}.0")).collect();
    fake.tags("a", &tags.iter().map(String::as_str).collect::<Vec<_>>());
    for tag in &tags {
        fake.chart("a", tag, tag).slow(Duration::from_millis(150));
    }
    // The tags need fifteen seconds. The first invocation has five for them, the second half of it.
    let instance = instance_with_concurrency(&fake, 4);
    let mut added = 0;
    for _invocation in 0..2 {
        let function = stack.oci_poll().await;
        let summary = function.invoke_within(&instance, Duration::from_secs(6)).await.unwrap();
        assert_summary!(summary, complete = false);
        added += summary["added"].as_u64().unwrap();
    }
    assert_eq!(unvisited(&fake, &names), 0);
    assert!((1..400).contains(&added), "{added}");
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, complete = true);
    assert_eq!(available(&stack).await, 400);
    assert!(fake.count("GET", "/manifests/") <= 400 + 3 * 8, "looks are not repeated");
}

#[tokio::test]
async fn lists_of_an_interrupted_batch_are_not_read_again() {
    const REPOSITORIES: usize = 30;
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..REPOSITORIES).map(|n| format!("r{n:03}")).collect();
    fake.catalog(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        fake.tags(name, &[]).slow(Duration::from_millis(150));
    }
    let instance = instance_with_concurrency(&fake, 1);
    let mut invocations = 0;
    loop {
        let function = stack.oci_poll().await;
        let summary = function.invoke_within(&instance, Duration::from_secs(3)).await.unwrap();
        invocations += 1;
        assert!(invocations < 20, "no progress: {summary}");
        if summary["complete"] == true {
            break;
        }
    }
    assert!(invocations > 1);
    assert_eq!(unvisited(&fake, &names), 0);
    let lists = fake.count("GET", "/tags/list");
    assert!(lists < REPOSITORIES + invocations, "{lists} lists in {invocations} invocations");
}

/// Case from the field 17.
#[tokio::test]
async fn closed_registry_is_left_alone_until_its_time() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.tags("a", &[]).status(429).header("retry-after", "999999999");
    let first = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(first, complete = false);
    let error = first["errors"][0].as_str().unwrap();
    assert!(error.contains("registry closed until 2") && error.ends_with(" UTC"), "{error}");
    let state: Value = serde_json::from_str(lease(&stack).await["cursor"].as_s().unwrap()).unwrap();
    let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let now: i64 = stack.rows.query_one(now, &[]).await.unwrap().get(0);
    let wait = state["closed_until"].as_i64().unwrap() - now;
    // The poller reads the database's clock once, and the answer may take a moment to arrive.
    assert!((3_000_000..=3_630_000).contains(&wait), "about an hour at most: {wait} ms");

    // Another process remembers it too.
    let asked = fake.asked().len();
    let second = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(second, passes = 0, errors = json!([error]), complete = false);
    assert_eq!(fake.asked().len(), asked);
    assert_eq!(health(&stack).await, error);

    let question = json!({"instance": instance(&fake.url()), "diagnose": {"repository": "a"}});
    let diagnosis = stack.oci_poll().await.invoke(&question).await.unwrap();
    let detail = diagnosis["steps"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("registry closed until 2"), "{diagnosis}");
    assert_eq!(fake.asked().len(), asked);

    forget_closed(&stack).await;
    fake.tags("a", &["1.0.0"]);
    let third = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(third, added = 1, complete = true);
}
