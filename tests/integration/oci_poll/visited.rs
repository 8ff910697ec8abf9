//! Which repositories a pass visits: those that are listed, and those that have rows.

use serde_json::json;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, be_gone, poll, wait};
use crate::support::stack::{Stack, instance};

/// Starts a registry with one chart in each of `a` and `b`.
async fn registry() -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a", "b"]);
    for name in ["a", "b"] {
        fake.tags(name, &["1.0.0"]);
        fake.chart(name, "1.0.0", name);
    }
    fake
}

/// Deletes the repository `a`.
fn delete_a(fake: &FakeRegistry) {
    fake.catalog(&["b"]);
    fake.tags("a", &[]);
    fake.absent("a", "1.0.0");
}

#[tokio::test]
async fn repository_that_was_deleted_while_it_was_excluded_is_checked_again() {
    let stack = Stack::new().await;
    let fake = registry().await;
    let function = stack.oci_poll().await;
    assert_summary!(poll(&function, &fake).await, added = 2);
    let mut excluding = instance(&fake.url());
    excluding["oci"]["exclude"] = json!(["a"]);
    delete_a(&fake);
    for _pass in 0..2 {
        let summary = function.invoke(&excluding).await.unwrap();
        assert_summary!(summary, unavailable = 0, complete = true);
    }
    assert_summary!(poll(&function, &fake).await, unavailable = 1, complete = true);
}

#[tokio::test]
async fn rows_that_the_cursor_does_not_know_are_checked() {
    let stack = Stack::new().await;
    let fake = registry().await;
    fake.catalog(&["b"]);
    let function = stack.oci_poll().await;
    assert_summary!(poll(&function, &fake).await, added = 1, complete = true);
    // Another instance finds a chart, which is deleted before this one sees it.
    fake.catalog(&["a", "b"]);
    let mut other = instance(&fake.url());
    other["name"] = json!("other");
    assert_summary!(function.invoke(&other).await.unwrap(), added = 1, complete = true);
    delete_a(&fake);
    // Until that instance is gone, it decides what became of its chart.
    assert_summary!(poll(&function, &fake).await, unavailable = 0, complete = true);
    be_gone(&stack, "other").await;
    assert_summary!(poll(&function, &fake).await, unavailable = 1, complete = true);
    // A repository whose charts are all gone is not visited any more.
    let asked = fake.count("GET", "/v2/a/");
    assert_summary!(poll(&function, &fake).await, unavailable = 0, complete = true);
    assert_eq!(fake.count("GET", "/v2/a/"), asked);
}

#[tokio::test]
async fn empty_catalog_is_an_error_while_there_are_rows() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&[]);
    let function = stack.oci_poll().await;
    assert_summary!(poll(&function, &fake).await, complete = true, errors = json!([]));
    let fake = registry().await;
    assert_summary!(poll(&function, &fake).await, added = 2, complete = true);
    fake.catalog(&[]);
    for _pass in 0..2 {
        let summary = poll(&function, &fake).await;
        let error = summary["errors"][0].as_str().unwrap();
        assert!(error.contains("the catalog is empty") && error.contains(" 2 "), "{error}");
        assert_summary!(summary, held = 2, complete = false);
    }
    for name in ["a", "b"] {
        fake.absent(name, "1.0.0");
    }
    wait(&stack, "1 hour").await;
    poll(&function, &fake).await;
    assert_eq!(available(&stack).await, 0);
    assert_summary!(poll(&function, &fake).await, complete = true, errors = json!([]));
}
