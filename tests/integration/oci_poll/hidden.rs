//! Repositories that the credentials could read before, and may not read now. GHCR and Docker Hub
//! answer the same for a package that was deleted.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, let_faults_be_due, poll};
use crate::support::stack::{Stack, count, instance};

/// Starts a registry with a chart in each repository.
async fn registry(repositories: &[&str]) -> FakeRegistry {
    let fake = FakeRegistry::start().await;
    fake.catalog(repositories);
    for repository in repositories {
        fake.tags(repository, &["1.0.0"]);
        fake.chart(repository, "1.0.0", repository);
    }
    fake
}

fn deny(fake: &FakeRegistry, repository: &str, status: u16) {
    let denied = json!({"errors": [{"code": "DENIED"}]});
    fake.answer(&format!("/v2/{repository}/tags/list?n=1000"), denied).status(status);
}

async fn health(stack: &Stack) -> String {
    let sql = "SELECT coalesce(last_error, '') FROM discovery_instances WHERE name = 'test'";
    stack.rows.query_one(sql, &[]).await.unwrap().get(0)
}

/// Case from the field 26.
#[tokio::test]
async fn hidden_repositories_are_named_and_the_pass_is_complete() {
    let stack = Stack::new().await;
    let fake = registry(&["a", "b", "c"]).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // The catalog no longer lists one of them.
    fake.catalog(&["a", "b"]);
    deny(&fake, "b", 403);
    deny(&fake, "c", 401);
    for _ in 0..2 {
        let summary = poll(&function, &fake).await;
        assert_summary!(summary, hidden = 2, errors = json!([]), complete = true);
        let said = health(&stack).await;
        assert!(said.starts_with("2 repositories are hidden from these credentials since 2"));
        assert!(said.contains("b: ") && said.contains("c: ") && said.contains("403"), "{said}");
        let_faults_be_due(&stack).await;
    }
    assert_eq!(available(&stack).await, 3);
    let succeeded = "SELECT count(*) FROM discovery_instances
        WHERE last_succeeded_at >= last_started_at";
    assert_eq!(count(&stack.rows, succeeded).await, 1);
    // A chart was pushed meanwhile, and another one was deleted.
    fake.catalog(&["a", "b", "c"]);
    fake.tags("b", &["1.0.0", "2.0.0"]);
    fake.chart("b", "2.0.0", "new");
    fake.tags("c", &[]);
    fake.absent("c", "1.0.0");
    let_faults_be_due(&stack).await;
    let summary = poll(&function, &fake).await;
    assert_summary!(summary, hidden = Value::Null, added = 1, unavailable = 1, complete = true);
    assert_eq!(health(&stack).await, "");
}

#[tokio::test]
async fn refused_repository_without_charts_is_an_error() {
    let stack = Stack::new().await;
    let fake = registry(&["a"]).await;
    fake.catalog(&["a", "b"]);
    deny(&fake, "b", 403);
    let summary = poll(&stack.oci_poll().await, &fake).await;
    assert_summary!(summary, added = 1, hidden = Value::Null, complete = false);
}

#[tokio::test]
async fn credentials_that_may_read_nothing_leave_the_pass_incomplete() {
    let stack = Stack::new().await;
    let fake = registry(&["a", "b"]).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    for repository in ["a", "b"] {
        deny(&fake, repository, 403);
    }
    for _ in 0..2 {
        let summary = poll(&function, &fake).await;
        assert_summary!(summary, hidden = 2, complete = false);
        assert!(summary["errors"][0].as_str().unwrap().contains("every repository is hidden"));
    }
    assert_eq!(available(&stack).await, 2);
}

/// Fault 46.
#[tokio::test]
async fn charts_of_a_hidden_repository_end_on_request_and_return_with_it() {
    let stack = Stack::new().await;
    let fake = registry(&["a", "b"]).await;
    let function = stack.oci_poll().await;
    let mut instance = instance(&fake.url());
    instance["oci"]["repositories"] = json!(["a", "b"]);
    function.invoke(&instance).await.unwrap();
    let release = json!({"instance": instance, "release": {"repository": "b"}});
    let error = function.invoke(&release).await.unwrap_err().to_string();
    assert!(error.contains("the registry shows b"), "{error}");

    deny(&fake, "b", 401);
    let error = function.invoke(&release).await.unwrap_err().to_string();
    assert!(error.contains("has found b hidden"), "{error}");
    let summary = function.invoke(&instance).await.unwrap();
    assert_summary!(summary, hidden = 1, complete = true);
    let of_a_tag = "INSERT INTO reference_faults
        SELECT instance, registry_host, repo_name, '9.9.9', 'skipped', '', 1, now(), now(), now()
        FROM reference_faults";
    stack.rows.execute(of_a_tag, &[]).await.unwrap();
    let summary = function.invoke(&release).await.unwrap();
    assert_summary!(summary, unavailable = 1, complete = true);
    assert_eq!(available(&stack).await, 1);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM reference_faults").await, 0);

    fake.tags("b", &["1.0.0"]);
    let summary = function.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts").await, 2);
}
