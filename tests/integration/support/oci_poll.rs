//! Polls a fake registry with one repository, and counts its charts.

use serde_json::Value;
use tests::function::Function;

use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, count, instance};

/// Starts a registry with this many charts in one repository. Returns it with their tags.
pub(crate) async fn charts(tags: usize) -> (FakeRegistry, Vec<String>) {
    let fake = FakeRegistry::start().await;
    let tags: Vec<String> = (0..tags).map(|n| format!("1.{n}.0")).collect();
    fake.catalog(&["a"]);
    list(&fake, &tags);
    for tag in &tags {
        fake.chart("a", tag, tag);
    }
    (fake, tags)
}

pub(crate) fn list(fake: &FakeRegistry, tags: &[String]) {
    fake.tags("a", &tags.iter().map(String::as_str).collect::<Vec<_>>());
}

pub(crate) async fn poll(function: &Function, fake: &FakeRegistry) -> Value {
    function.invoke(&instance(&fake.url())).await.unwrap()
}

pub(crate) fn numbers(summary: &Value) -> (u64, u64, u64) {
    let number = |field: &str| summary[field].as_u64().unwrap();
    (number("added"), number("unavailable"), number("held"))
}

/// Moves the start of every absence back, as if time had passed.
pub(crate) async fn wait(stack: &Stack, interval: &str) {
    let sql =
        format!("UPDATE observations SET missing_since = missing_since - interval '{interval}'");
    stack.rows.execute(&sql, &[]).await.unwrap();
}

/// Moves every observation and the start of every absence back, as if time had passed.
pub(crate) async fn let_time_pass(stack: &Stack, interval: &str) {
    let sql = format!(
        "UPDATE observations SET missing_since = missing_since - interval '{interval}',
            observed_at = observed_at - interval '{interval}',
            changed_at = changed_at - interval '{interval}'"
    );
    stack.rows.execute(&sql, &[]).await.unwrap();
}

/// Makes an instance count as gone.
pub(crate) async fn be_gone(stack: &Stack, name: &str) {
    let sql = "UPDATE discovery_instances
        SET last_started_at = last_started_at - interval '25 hours',
            last_invoked_at = last_invoked_at - interval '25 hours'
        WHERE name = $1";
    stack.rows.execute(sql, &[&name]).await.unwrap();
}

/// Makes the next try of every failed look due, as if time had passed.
pub(crate) async fn let_faults_be_due(stack: &Stack) {
    let sql = "UPDATE reference_faults SET next_at = clock_timestamp()";
    stack.rows.execute(sql, &[]).await.unwrap();
}

pub(crate) async fn available(stack: &Stack) -> i64 {
    count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await
}
