//! The cursor of `oci-poll` saves requests to the registry, calls to DynamoDB, and writes.

use std::collections::BTreeMap;

use tests::registry::{Options, Registry};
use tokio_postgres::Client;

use crate::support::assert_summary::assert_summary;
use crate::support::aws_proxy::AwsProxy;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, instance};

/// Returns the number of rows written to each table, as Postgres counts them.
async fn writes(client: &Client) -> BTreeMap<String, i64> {
    client.batch_execute("SELECT pg_stat_force_next_flush()").await.ok();
    let sql = "SELECT relname::text, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn new_process_reads_each_unchanged_list_once_and_writes_nothing() {
    const REPOSITORIES: usize = 1000;
    let stack = Stack::new().await;
    let registry = Registry::start_with(Options { on_disk: true, login: false }).await.unwrap();
    let pusher = tests::push::Pusher::new(registry.host()).unwrap();
    for version in 0..3 {
        pusher
            .push_chart("team/chart-0", &format!("1.{version}.0"), &version.to_string())
            .await
            .unwrap();
    }
    registry
        .copy_repository("team/chart-0", (1..REPOSITORIES).map(|n| format!("team/chart-{n}")))
        .unwrap();
    let instance = instance(&registry.url().unwrap().to_string());
    let first = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(first, added = 3 * REPOSITORIES, complete = true);

    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    let (requests_before, cursor) = (registry.requests().len(), stack.cursor_items().await);
    let before = writes(&stack.rows).await;
    let second = function.invoke(&instance).await.unwrap();
    drop(function);
    let mut after = writes(&stack.rows).await;
    // A backend reports its counts when it ends, so the test waits for the counts.
    while after.get("discovery_instances") == before.get("discovery_instances") {
        after = writes(&stack.rows).await;
    }
    assert_summary!(second, repositories = REPOSITORIES, complete = true);
    let requests = registry.requests().split_off(requests_before);
    let of = |part: &str| requests.iter().filter(|request| request.contains(part)).count();
    println!(
        "{REPOSITORIES} unchanged repositories, new process: {} requests to the registry, DynamoDB \
         {:?}",
        requests.len(),
        proxy.calls()
    );
    // The catalog's first page is exactly full, so a second request finds out that it is the last.
    assert_eq!((of("/v2/_catalog"), of("/tags/list"), of("/manifests/")), (2, REPOSITORIES, 0));
    assert_eq!(requests.len(), 2 + REPOSITORIES);
    assert_eq!(proxy.calls(), ["GetItem", "UpdateItem", "Query", "UpdateItem"]);
    assert_eq!(stack.cursor_items().await, cursor);
    let changed: Vec<(&String, i64)> =
        after.iter().map(|(table, count)| (table, count - before[table])).collect();
    let changed: Vec<&(&String, i64)> = changed.iter().filter(|(_, rows)| *rows > 0).collect();
    assert_eq!(changed, [&(&"discovery_instances".to_owned(), 1)]);
}

#[tokio::test]
async fn warm_process_rereads_entries_only_after_a_write_of_another() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    let calls = proxy.calls().len();
    function.invoke(&instance(&fake.url())).await.unwrap();
    assert_eq!(proxy.calls()[calls..], ["GetItem", "UpdateItem", "UpdateItem"]);

    fake.tags("a", &["1.0.0", "2.0.0"]);
    fake.chart("a", "2.0.0", "2.0.0");
    assert_eq!(stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
    let calls = proxy.calls().len();
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, manifests = 0, complete = true);
    assert_eq!(proxy.calls()[calls..], ["GetItem", "UpdateItem", "Query", "UpdateItem"]);
}

#[tokio::test]
async fn another_registry_under_the_same_name_starts_a_new_cursor() {
    let stack = Stack::new().await;
    let (one, other) =
        (FakeRegistry::with_charts(&["1.0.0"]).await, FakeRegistry::with_charts(&["1.0.0"]).await);
    let function = stack.oci_poll().await;
    for fake in [&one, &other] {
        assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
    }
}
