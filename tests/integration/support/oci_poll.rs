//! Polls a fake registry with one repository, and reads what became of its charts.

use serde_json::Value;
use tests::function::Function;

use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, count, instance};

/// A fake with this many charts in one repository.
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

/// Lets time pass for what is missing.
pub(crate) async fn wait(stack: &Stack, interval: &str) {
    let sql =
        format!("UPDATE observations SET missing_since = missing_since - interval '{interval}'");
    stack.rows.execute(&sql, &[]).await.unwrap();
}

pub(crate) async fn available(stack: &Stack) -> i64 {
    count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await
}
