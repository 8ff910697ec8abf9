//! A database that remembers many tags which are gone.

use tests::function::Function;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, count, instance};

const MIB: u64 = 1024 * 1024;

/// Remembers tags of the repositories `r0`, `r1` and so on that were absent some time ago.
async fn remember(stack: &Stack, fake: &FakeRegistry, tags: &str, ago: &str) {
    let host = fake.url().replace("http://", "");
    let sql = format!(
        "INSERT INTO observations (registry_host, repo_name, reference, observed_at, changed_at)
        SELECT '{host}', 'r' || tag % 100, '0.' || tag || '.0', seen.at, seen.at
        FROM generate_series(1, {tags}) AS tag, \
        (SELECT clock_timestamp() - interval '{ago}') AS seen (at)"
    );
    stack.rows.execute(&sql, &[]).await.unwrap();
}

/// Starts a registry with 100 repositories of one chart each.
async fn registry() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..100).map(|n| format!("r{n}")).collect();
    fake.catalog(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        fake.tags(name, &["1.0.0"]);
        fake.chart(name, "1.0.0", name);
    }
    fake
}

async fn poll(function: &Function, fake: &FakeRegistry) {
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, repositories = 100, errors = serde_json::json!([]), complete = true);
}

#[tokio::test]
async fn memory_does_not_grow_with_the_tags_that_are_gone() {
    let stack = Stack::new().await;
    let fake = registry().await;
    remember(&stack, &fake, "600000", "1 hour").await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let peak = function.memory_peak().unwrap() / MIB;
    println!("600,000 tags that are gone: {peak} MiB");
    assert!(peak <= 96, "{peak} MiB");
    let kept = "SELECT count(*) FROM observations WHERE digest IS NULL";
    assert_eq!(count(&stack.rows, kept).await, 600_000);
}

#[tokio::test]
async fn tags_that_have_been_gone_for_a_day_are_forgotten_some_thousands_per_pass() {
    let stack = Stack::new().await;
    let fake = registry().await;
    remember(&stack, &fake, "6000", "25 hours").await;
    let function = stack.oci_poll().await;
    let left = async || count(&stack.rows, "SELECT count(*) FROM observations").await;
    poll(&function, &fake).await;
    assert_eq!(left().await, 1000 + 100);
    poll(&function, &fake).await;
    assert_eq!(left().await, 100);
    assert_eq!(fake.count("GET", "/manifests/"), 100);
}
