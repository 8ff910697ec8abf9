//! The choice of the kind for a new registry. A later event never undoes an admin's changes.

use serde_json::json;

use crate::support::stack::{Stack, count};

async fn poll_as(stack: &Stack, domain: &str, naming: &str) {
    let mut instance = stack.instance();
    instance["oci"]["domain"] = json!(domain);
    instance["oci"]["kindNaming"] = json!(naming);
    stack.oci_poll().await.invoke(&instance).await.unwrap();
}

async fn kinds(stack: &Stack) -> Vec<String> {
    let sql = "SELECT registry_host(r.domain_name) || '/' || r.repo_name || ' ' || k.name
        FROM helm_registries AS r JOIN k8s_deployment_kinds AS k ON k.id = r.kind_id";
    let rows = stack.rows.query(sql, &[]).await.unwrap();
    let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn only_mirrors_share_a_kind() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team-a/api", "1.0.0", "a").await.unwrap();
    poll_as(&stack, "one.example", "name").await;
    stack.pusher.push_chart("team-b/api", "1.0.0", "b").await.unwrap();
    poll_as(&stack, "one.example", "name").await;
    poll_as(&stack, "two.example", "name").await;
    let expected = [
        "one.example/team-a/api api",
        "one.example/team-b/api team-b/api",
        "two.example/team-a/api api",
        "two.example/team-b/api team-b/api",
    ];
    assert_eq!(kinds(&stack).await, expected);
}

#[tokio::test]
async fn repository_with_a_short_name_does_not_join_another_kind() {
    for naming in ["name", "path"] {
        let stack = Stack::new().await;
        stack
            .rows
            .execute("INSERT INTO k8s_deployment_kinds (name) VALUES ('api')", &[])
            .await
            .unwrap();
        stack.pusher.push_chart("team-a/api", "1.0.0", "a").await.unwrap();
        poll_as(&stack, "one.example", "name").await;
        stack.pusher.push_chart("api", "1.0.0", "b").await.unwrap();
        poll_as(&stack, "one.example", naming).await;
        assert_eq!(
            kinds(&stack).await,
            ["one.example/api one.example/api", "one.example/team-a/api api"],
            "{naming}"
        );
    }
}

#[tokio::test]
async fn kind_without_a_registry_is_reused() {
    let stack = Stack::new().await;
    stack
        .rows
        .execute("INSERT INTO k8s_deployment_kinds (name) VALUES ('api')", &[])
        .await
        .unwrap();
    stack.pusher.push_chart("team-a/api", "1.0.0", "a").await.unwrap();
    poll_as(&stack, "one.example", "name").await;
    assert_eq!(kinds(&stack).await, ["one.example/team-a/api api"]);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM k8s_deployment_kinds").await, 1);
}

#[tokio::test]
async fn naming_by_path_always_uses_the_full_name() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team-a/api", "1.0.0", "a").await.unwrap();
    poll_as(&stack, "one.example", "path").await;
    assert_eq!(kinds(&stack).await, ["one.example/team-a/api team-a/api"]);
}

/// Fault 48.
#[tokio::test]
async fn mirror_takes_the_kind_of_the_oldest_registry_whatever_it_is_called_now() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team-a/api", "1.0.0", "a").await.unwrap();
    poll_as(&stack, "one.example", "name").await;
    let rename = "UPDATE k8s_deployment_kinds SET name = 'The API'";
    stack.rows.execute(rename, &[]).await.unwrap();
    poll_as(&stack, "two.example", "path").await;
    let repoint = "INSERT INTO k8s_deployment_kinds (name) VALUES ('Other');
        UPDATE helm_registries
        SET kind_id = (SELECT id FROM k8s_deployment_kinds WHERE name = 'Other')
        WHERE registry_host(domain_name) = 'two.example'";
    stack.rows.batch_execute(repoint).await.unwrap();
    poll_as(&stack, "three.example", "name").await;
    let expected = [
        "one.example/team-a/api The API",
        "three.example/team-a/api The API",
        "two.example/team-a/api Other",
    ];
    assert_eq!(kinds(&stack).await, expected);
}

#[tokio::test]
async fn renamed_kind_and_repointed_registry_stay_unchanged() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team-a/api", "1.0.0", "a").await.unwrap();
    stack.pusher.push_chart("team-a/web", "1.0.0", "w").await.unwrap();
    poll_as(&stack, "one.example", "name").await;
    let changes = "UPDATE k8s_deployment_kinds SET name = 'The API' WHERE name = 'api';
        UPDATE helm_registries SET kind_id = (SELECT id FROM k8s_deployment_kinds WHERE name = \
        'The API')";
    stack.rows.batch_execute(changes).await.unwrap();
    stack.pusher.push_chart("team-a/api", "2.0.0", "b").await.unwrap();
    stack.pusher.push_chart("team-a/web", "2.0.0", "x").await.unwrap();
    poll_as(&stack, "one.example", "name").await;
    assert_eq!(
        kinds(&stack).await,
        ["one.example/team-a/api The API", "one.example/team-a/web The API"]
    );
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts").await, 4);
}
