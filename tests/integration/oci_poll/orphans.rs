//! The rows of an instance that is no more. They become unavailable on request, and come back with
//! the instance.

use std::time::Duration;

use serde_json::json;
use tests::function::Function;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, poll};
use crate::support::stack::{ECR, Stack, count, instance};

async fn end_orphans(function: &Function, domain: &str) -> Result<serde_json::Value, String> {
    let ended = function.invoke(&json!({"orphans": domain})).await;
    ended.map_err(|error| error.to_string())
}

/// Moves the last start of every instance back, as if time had passed.
async fn age(stack: &Stack, interval: &str) {
    let sql = format!(
        "UPDATE discovery_instances SET last_started_at = last_started_at - interval '{interval}',
            last_invoked_at = last_invoked_at - interval '{interval}'"
    );
    stack.rows.execute(&sql, &[]).await.unwrap();
}

#[tokio::test]
async fn rows_of_a_removed_instance_end_and_return_with_it() {
    let stack = Stack::new().await;
    let (removed, tags) = charts(3).await;
    removed.answer("/v2/a/manifests/1.2.0", json!({"errors": []})).status(403);
    let (kept, _) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &removed).await;
    age(&stack, "23 hours").await;
    let mut other = instance(&kept.url());
    other["name"] = json!("other");
    function.invoke(&other).await.unwrap();
    let error = end_orphans(&function, &removed.url()).await.unwrap_err();
    assert!(error.contains("the instance test watches") && error.contains("a day"), "{error}");
    assert_eq!(available(&stack).await, 4);

    age(&stack, "1 hour").await;
    let ids = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM helm_charts";
    let ids = async || stack.rows.query_one(ids, &[]).await.unwrap().get::<_, String>(0);
    let before = ids().await;
    // The scheme does not matter, because rows of a registry may have either.
    let bare = removed.url().replace("http://", "");
    let ended = end_orphans(&function, &bare).await.unwrap();
    assert_summary!(ended, unavailable = 2, instances = ["test"], complete = true);
    assert_eq!(available(&stack).await, 2, "those of the other registry");
    let left = format!(
        "SELECT (SELECT count(*) FROM observations WHERE registry_host = '{bare}')
            + (SELECT count(*) FROM reference_faults)
            + (SELECT count(*) FROM discovery_instances WHERE name = 'test')"
    );
    assert_eq!(count(&stack.rows, &left).await, 0);
    let ended = end_orphans(&function, &bare).await.unwrap();
    assert_summary!(ended, unavailable = 0, instances = json!([]), complete = true);

    removed.chart("a", &tags[2], &tags[2]);
    let summary = poll(&stack.oci_poll().await, &removed).await;
    assert_summary!(summary, added = 3, complete = true);
    assert_eq!(available(&stack).await, 5);
    assert!(ids().await.split(' ').count() == 5 && before.split(' ').count() == 4);
    let dead = "SELECT count(*) FROM helm_charts WHERE NOT available";
    assert_eq!(count(&stack.rows, dead).await, 0, "the rows are the same");
}

#[tokio::test]
async fn interrupted_end_of_orphans_loses_no_chart_when_the_instance_returns() {
    let stack = Stack::new().await;
    let (removed, _) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &removed).await;
    age(&stack, "24 hours").await;
    let mut writer = stack.database.connect().await.unwrap();
    let lock = writer.transaction().await.unwrap();
    lock.execute("SELECT FROM observations FOR UPDATE", &[]).await.unwrap();
    let payload = json!({"orphans": removed.url()});
    let ended = function.invoke_within(&payload, Duration::from_secs(4)).await.unwrap();
    assert_summary!(ended, unavailable = 0, complete = false);
    lock.rollback().await.unwrap();
    // The server finishes what the invocation had sent.
    wait_for_end_of_orphans(&stack, false).await;
    assert_summary!(poll(&stack.oci_poll().await, &removed).await, complete = true);
    assert_eq!(available(&stack).await, 3);
}

/// Waits until the statement that ends orphans runs, or no longer does.
async fn wait_for_end_of_orphans(stack: &Stack, is_running: bool) {
    let running = "SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE '%forgotten%' AND state = 'active' AND pid <> pg_backend_pid()
            AND datname = current_database()";
    while (count(&stack.rows, running).await > 0) != is_running {
        tokio::task::yield_now().await;
    }
}

/// Fault 45.
#[tokio::test]
async fn instance_that_comes_back_between_two_steps_is_kept() {
    let stack = Stack::new().await;
    let (removed, _) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &removed).await;
    age(&stack, "24 hours").await;
    let mut writer = stack.database.connect().await.unwrap();
    let lock = writer.transaction().await.unwrap();
    lock.execute("SELECT FROM observations FOR UPDATE", &[]).await.unwrap();
    let url = removed.url();
    let back = async {
        wait_for_end_of_orphans(&stack, true).await;
        assert_summary!(poll(&stack.oci_poll().await, &removed).await, complete = true);
        lock.rollback().await.unwrap();
    };
    let (ended, ()) = tokio::join!(end_orphans(&function, &url), back);
    let error = ended.unwrap_err();
    assert!(error.contains("came back") && error.contains("the 3 charts"), "{error}");
    assert_summary!(poll(&function, &removed).await, added = 3, complete = true);
    assert_eq!(available(&stack).await, 3);
}

/// Fault 45.
#[tokio::test]
async fn instance_whose_pass_has_not_ended_is_live() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let (first, second) = (stack.oci_poll().await, stack.oci_poll().await);
    poll(&first, &fake).await;
    age(&stack, "24 hours").await;
    fake.tags("a", &["1.0.0"]).gated();
    let asked = fake.count("", "/tags/list");
    let other = async {
        while fake.count("", "/tags/list") == asked {
            tokio::task::yield_now().await;
        }
        let ended = end_orphans(&second, &fake.url()).await;
        fake.open();
        ended
    };
    let (_, ended) = tokio::join!(poll(&first, &fake), other);
    let error = ended.unwrap_err();
    assert!(error.contains("the instance test watches"), "{error}");
    assert_eq!(available(&stack).await, 1);
}

/// Fault 45.
#[tokio::test]
async fn start_is_written_once_an_hour() {
    let stack = Stack::new().await;
    let (fake, _) = charts(1).await;
    let function = stack.oci_poll().await;
    let invoked = async || {
        poll(&function, &fake).await;
        let sql = "SELECT last_invoked_at::text FROM discovery_instances";
        stack.rows.query_one(sql, &[]).await.unwrap().get::<_, String>(0)
    };
    let mut last = invoked().await;
    for (ago, is_written) in [("59 minutes", false), ("1 minute", true), ("-1 minute", true)] {
        age(&stack, ago).await;
        let before = std::mem::replace(&mut last, invoked().await);
        let sql = format!("SELECT ('{before}'::timestamptz - interval '{ago}')::text");
        let aged: String = stack.rows.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(last != aged, is_written, "{ago}");
    }
}

#[tokio::test]
async fn former_address_of_a_live_instance_is_orphaned() {
    let stack = Stack::new().await;
    let ((former, _), (current, _)) = (charts(1).await, charts(2).await);
    let function = stack.oci_poll().await;
    poll(&function, &former).await;
    poll(&function, &current).await;
    let error = end_orphans(&function, &current.url()).await.unwrap_err();
    assert!(error.contains("the instance test watches"), "{error}");
    let ended = end_orphans(&function, &former.url()).await.unwrap();
    assert_summary!(ended, unavailable = 1, instances = json!([]), complete = true);
    let instances = "SELECT count(*) FROM discovery_instances";
    assert_eq!((available(&stack).await, count(&stack.rows, instances).await), (2, 1));
}

#[tokio::test]
async fn ecr_registry_is_orphaned_if_its_account_is_no_longer_accepted() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team/api", "1.0.0", "a").await.unwrap();
    let rescan = json!({"rescan": {"registry": ECR, "repository": "team/api", "tag": "1.0.0"}});
    stack.ecr_events().await.invoke(&rescan).await.unwrap();
    let watching = async |accounts: &[&str]| {
        let events = json!({"regionName": "us-east-1", "accounts": accounts});
        let configuration = json!({"provider": "ecr", "ecrEvents": events}).to_string();
        let sql = "INSERT INTO discovery_instances
                (name, provider, source, configuration, last_event_at)
            VALUES ('ecr', 'ecr', 'us-east-1', $1::text::jsonb, now())
            ON CONFLICT (name) DO UPDATE SET configuration = excluded.configuration";
        stack.rows.execute(sql, &[&configuration]).await.unwrap();
    };
    let function = stack.oci_poll().await;
    for accounts in [&[][..], &["123456789012"]] {
        watching(accounts).await;
        let error = end_orphans(&function, ECR).await.unwrap_err();
        assert!(error.contains("the instance ecr watches"), "{error}");
    }
    watching(&["210987654321"]).await;
    let ended = end_orphans(&function, ECR).await.unwrap();
    assert_summary!(ended, unavailable = 1, instances = json!([]), complete = true);
    assert_eq!(available(&stack).await, 0);
}
