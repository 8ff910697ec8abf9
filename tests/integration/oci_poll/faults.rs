//! References that cannot be looked at: they are tried again ever more rarely, and the health names
//! them.

use serde_json::json;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::poll;
use crate::support::stack::{Stack, count, instance};

/// Returns the error in the instance's health.
async fn health(stack: &Stack) -> String {
    let sql = "SELECT coalesce(last_error, '') FROM discovery_instances WHERE name = 'test'";
    stack.rows.query_one(sql, &[]).await.unwrap().get(0)
}

/// Moves the next try of every fault forward, as if time had passed.
async fn wait(stack: &Stack, seconds: u32) {
    let sql = format!("UPDATE reference_faults SET next_at = next_at - interval '{seconds} s'");
    stack.rows.execute(&sql, &[]).await.unwrap();
}

async fn faults(stack: &Stack) -> i64 {
    count(&stack.rows, "SELECT count(*) FROM reference_faults").await
}

#[tokio::test]
async fn denied_manifest_is_asked_for_ever_more_rarely() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    fake.answer("/v2/a/manifests/2.0.0", json!({"errors": [{"code": "DENIED"}]})).status(403);
    let asked = || fake.count("GET", "/manifests/2.0.0");
    // Each invocation is one of another process, so that nothing is remembered in memory.
    let first = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(first, added = 1, waiting = 1, complete = false);
    let again = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(again, manifests = 0, waiting = 1, errors = json!([]), complete = true);
    assert_eq!(asked(), 1, "the tag waits for its next try");
    let shown = health(&stack).await;
    assert!(shown.contains("1 references wait") && shown.contains("a:2.0.0"), "{shown}");
    assert!(shown.contains("403 Forbidden (DENIED)"), "{shown}");
    assert!(shown.contains(" (next try at 2"), "{shown}");

    wait(&stack, 10).await;
    let due = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(due, manifests = 1, waiting = 1, complete = false);
    let twice = "SELECT count(*) FROM reference_faults
        WHERE attempts = 2 AND next_at - last_at = interval '20 s' AND kind = 'failed'";
    assert_eq!((asked(), count(&stack.rows, twice).await), (2, 1));

    fake.chart("a", "2.0.0", "2.0.0");
    wait(&stack, 20).await;
    let found = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(found, added = 1, waiting = 0, complete = true);
    assert_eq!((faults(&stack).await, health(&stack).await), (0, String::new()));
}

#[tokio::test]
async fn fault_of_a_tag_that_is_no_longer_listed_is_forgotten() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    fake.answer("/v2/a/manifests/2.0.0", json!({"errors": [{"code": "DENIED"}]})).status(403);
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    assert_eq!(faults(&stack).await, 1);
    fake.tags("a", &["1.0.0"]);
    assert_summary!(poll(&function, &fake).await, waiting = 0, complete = true);
    assert_eq!(faults(&stack).await, 0);
}

/// Case from the field 8.
#[tokio::test]
async fn reference_past_a_limit_is_named_while_it_is_listed() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    fake.answer("/v2/a/manifests/2.0.0", json!("")).endless();
    let function = stack.oci_poll().await;
    assert_summary!(poll(&function, &fake).await, skipped = 1, waiting = 0, complete = true);
    for _pass in 0..2 {
        let shown = health(&stack).await;
        assert!(shown.contains("past a limit: a:2.0.0: ") && shown.contains("4194304"), "{shown}");
        assert_summary!(poll(&function, &fake).await, manifests = 0, complete = true);
    }
    fake.absent("a", "2.0.0");
    fake.tags("a", &["1.0.0"]);
    poll(&function, &fake).await;
    assert_eq!((faults(&stack).await, health(&stack).await), (0, String::new()));
}

/// Fault 46.
#[tokio::test]
async fn faults_of_a_repository_that_is_no_longer_selected_are_forgotten() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.catalog(&["a", "b", "c"]);
    for repository in ["b", "c"] {
        fake.tags(repository, &["1.0.0"]);
        fake.answer(&format!("/v2/{repository}/manifests/1.0.0"), json!("")).endless();
    }
    let function = stack.oci_poll().await;
    assert_summary!(poll(&function, &fake).await, skipped = 2, complete = true);
    let mut narrow = instance(&fake.url());
    narrow["oci"]["exclude"] = json!(["b"]);
    for _ in 0..2 {
        assert_summary!(function.invoke(&narrow).await.unwrap(), complete = true);
        let shown = health(&stack).await;
        assert!(shown.contains("1 references are skipped") && !shown.contains("b:"), "{shown}");
    }
    assert_eq!(faults(&stack).await, 1);
}

/// Fault 46.
#[tokio::test]
async fn faults_of_a_repository_that_is_gone_are_forgotten_after_a_sweep() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    fake.catalog(&["a", "b"]);
    for repository in ["a", "b"] {
        fake.tags(repository, &["1.0.0", "2.0.0"]);
        fake.answer(&format!("/v2/{repository}/manifests/2.0.0"), json!("")).endless();
    }
    fake.answer("/v2/b/manifests/1.0.0", json!("")).endless();
    let mut instance = instance(&fake.url());
    instance["oci"]["verifyInterval"] = json!("1m");
    let function = stack.oci_poll().await;
    function.invoke(&instance).await.unwrap();
    assert_eq!(faults(&stack).await, 3);
    fake.catalog(&["a"]);
    // Nothing else in the database knows the tags of the repository that is gone.
    let forget = "DELETE FROM observations WHERE repo_name = 'b'";
    stack.rows.execute(forget, &[]).await.unwrap();
    for (passed, left) in [(150, 3), (60, 1)] {
        wait(&stack, passed).await;
        // Those of the other repository are tried again in their turn.
        stack.dynamodb.clear().await.unwrap();
        for _ in 0..2 {
            assert_summary!(function.invoke(&instance).await.unwrap(), complete = true);
        }
        assert_eq!(faults(&stack).await, left, "{passed}");
    }
    let shown = health(&stack).await;
    assert!(shown.contains("past a limit: a:2.0.0: ") && !shown.contains("b:"), "{shown}");
}
