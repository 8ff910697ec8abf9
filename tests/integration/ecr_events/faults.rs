//! `ecr-events` with a failing database or a killed process. No message is lost, and no row is
//! written twice or in part.

use std::time::Duration;

use serde_json::Value;
use shared::domain::Digest;
use tests::function::Function;
use tokio::net::TcpListener;
use tokio_postgres::Client;
use url::Url;

use crate::support::database_proxy::DatabaseProxy;
use crate::support::stack::{Stack, batch, count, event, failed};

/// Lets a function write its observations, but blocks its writes of charts.
const BLOCK_CHARTS: &str = "LOCK TABLE helm_charts IN SHARE ROW EXCLUSIVE MODE";

/// Counts the connections to this test's database that wait for a table.
const QUEUED: &str =
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Pushes charts to the registry. Returns a batch with their events.
async fn pushes(stack: &Stack, count: usize) -> Value {
    let mut bodies = Vec::new();
    for n in 0..count {
        let tag = format!("1.{n}.0");
        let digest = stack.pusher.push_chart("my-org/api", &tag, &tag).await.unwrap();
        bodies.push(event("PUSH", "my-org/api", Some(&tag), &digest).to_string());
    }
    batch(&bodies)
}

/// Starts `ecr-events` with another port for its database.
async fn behind(stack: &Stack, port: u16) -> Function {
    let mut url: Url = stack.database.url().parse().unwrap();
    url.set_port(Some(port)).unwrap();
    // The proxy does not support TLS.
    url.set_query(Some("sslmode=disable"));
    stack.ecr_events_with(&[("DATABASE_URL", url.as_str())]).await
}

/// Waits until a connection waits for a lock in this database.
async fn wait_for_a_blocked_connection(rows: &Client) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                   wait_event_type = 'Lock'";
    while count(rows, waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits until the function has retried its database this many times.
async fn wait_for_retries(function: &Function, times: usize) {
    let tried = async {
        while function
            .log()
            .iter()
            .filter(|line| line.contains("trying the database again"))
            .count()
            < times
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), tried).await.unwrap();
}

async fn charts(stack: &Stack) -> i64 {
    count(&stack.rows, "SELECT count(*) FROM helm_charts").await
}

/// Fault 1.
#[tokio::test]
async fn kill_before_commit_and_redelivery_make_one_row_each() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 3).await;
    let function = stack.ecr_events().await;
    let mut blocker = stack.database.connect().await.unwrap();
    let lock = blocker.transaction().await.unwrap();
    lock.batch_execute(BLOCK_CHARTS).await.unwrap();
    let kill = async {
        wait_for_a_blocked_connection(&stack.rows).await;
        function.signal("KILL").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(function.invoke(&messages), kill);
    assert!(outcome.is_err());
    lock.rollback().await.unwrap();
    assert_eq!(stack.ecr_events().await.invoke(&messages).await.unwrap(), failed(&[]));
    assert_eq!(charts(&stack).await, 3);
}

/// Fault 2.
#[tokio::test]
async fn redelivery_after_a_kill_after_the_commit_changes_nothing() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 3).await;
    let function = stack.ecr_events().await;
    let mut blocker = stack.database.connect().await.unwrap();
    let mut behind = stack.database.connect().await.unwrap();
    let first = blocker.transaction().await.unwrap();
    first.batch_execute(BLOCK_CHARTS).await.unwrap();
    let second = behind.transaction().await.unwrap();
    let kill = async {
        wait_for_a_blocked_connection(&stack.rows).await;
        // This connection gets its lock when the function commits. The lock then blocks the
        // function's next query.
        let queued = second.batch_execute("LOCK TABLE observations IN ACCESS EXCLUSIVE MODE");
        let (queued, rolled_back) = tokio::join!(queued, async {
            while count(&stack.rows, QUEUED).await == 0 {
                tokio::task::yield_now().await;
            }
            first.rollback().await
        });
        queued.unwrap();
        rolled_back.unwrap();
        function.signal("KILL").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(function.invoke(&messages), kill);
    assert!(outcome.is_err());
    second.rollback().await.unwrap();
    let rows = stack.charts().await;
    assert_eq!(rows.len(), 3);
    assert_eq!(stack.ecr_events().await.invoke(&messages).await.unwrap(), failed(&[]));
    assert_eq!(stack.charts().await, rows);
}

/// Fault 3.
#[tokio::test]
async fn connection_killed_during_a_batch_leaves_no_partial_batch() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 20).await;
    let function = stack.ecr_events().await;
    let mut blocker = stack.database.connect().await.unwrap();
    let lock = blocker.transaction().await.unwrap();
    lock.batch_execute(BLOCK_CHARTS).await.unwrap();
    let kill = async {
        wait_for_a_blocked_connection(&stack.rows).await;
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        assert_eq!(count(&stack.rows, terminate).await, 1);
        assert_eq!(
            count(&stack.rows, "SELECT count(*) FROM observations").await,
            0,
            "the batch must be written completely or not at all"
        );
        lock.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(function.invoke(&messages), kill);
    assert_eq!(answer.unwrap(), failed(&[]), "the invocation retries the batch itself");
    assert_eq!(charts(&stack).await, 20);
}

/// Fault 4.
#[tokio::test]
async fn backlog_drains_when_the_database_returns() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 10).await;
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = reserved.local_addr().unwrap().port();
    drop(reserved);
    let function = behind(&stack, port).await;
    let ids: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
    let all = failed(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    // The database is unavailable for longer than the invocation. So every message fails and is
    // delivered again.
    assert_eq!(function.invoke_within(&messages, Duration::from_secs(3)).await.unwrap(), all);
    // The database returns while the function waits.
    let back = async {
        wait_for_retries(&function, 5).await;
        DatabaseProxy::start_on(
            TcpListener::bind(("127.0.0.1", port)).await.unwrap(),
            stack.database.url(),
        )
    };
    let (answer, _proxy) = tokio::join!(function.invoke(&messages), back);
    assert_eq!(answer.unwrap(), failed(&[]));
    assert_eq!(charts(&stack).await, 10);
}

/// Fault 5.
#[tokio::test]
async fn black_hole_connection_is_replaced_after_the_statement_deadline() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 2).await;
    let proxy = DatabaseProxy::start(stack.database.url()).await;
    let function = behind(&stack, proxy.port).await;
    function.invoke(&batch(&[])).await.unwrap();
    assert_eq!(function.invoke(&pushes(&stack, 1).await).await.unwrap(), failed(&[]));
    proxy.swallow();
    // The messages would fail if the function waited for the answer until its deadline.
    assert_eq!(function.invoke(&messages).await.unwrap(), failed(&[]));
    assert_eq!(charts(&stack).await, 2);
}

/// Fault 6.
#[tokio::test]
async fn full_database_is_retried_after_a_pause() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 2).await;
    let role = format!("limited_{:08x}", fastrand::u32(..));
    let make = format!(
        "CREATE ROLE {role} LOGIN CONNECTION LIMIT 1; GRANT ALL ON ALL TABLES IN SCHEMA public TO \
         {role}"
    );
    stack.rows.batch_execute(&make).await.unwrap();
    let mut url: Url = stack.database.url().parse().unwrap();
    url.set_username(&role).unwrap();
    let occupant = tests::postgres::connect(url.as_str()).await.unwrap();
    let function = stack.ecr_events_with(&[("DATABASE_URL", url.as_str())]).await;
    let leave = async {
        wait_for_retries(&function, 3).await;
        drop(occupant);
    };
    let (answer, ()) = tokio::join!(function.invoke(&messages), leave);
    assert_eq!(answer.unwrap(), failed(&[]));
    assert_eq!(charts(&stack).await, 2);
    drop(function);
    let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    stack.rows.batch_execute(&drop_role).await.unwrap();
}

/// Fault 9.
#[tokio::test]
async fn deadlock_is_retried() {
    let stack = Stack::new().await;
    let function = stack.ecr_events().await;
    function.invoke(&pushes(&stack, 2).await).await.unwrap();
    stack.pusher.push_chart("my-org/api", "1.0.0", "moved").await.unwrap();
    let messages =
        batch(&[event("PUSH", "my-org/api", Some("1.0.0"), &Digest::sha256(b"")).to_string()]);
    let mut other = stack.database.connect().await.unwrap();
    let transaction = other.transaction().await.unwrap();
    // Postgres ends the transaction that first looks for a deadlock. This timeout makes it the
    // function's.
    transaction.batch_execute("SET LOCAL deadlock_timeout = '1min'").await.unwrap();
    transaction.batch_execute(BLOCK_CHARTS).await.unwrap();
    let meet = async {
        wait_for_a_blocked_connection(&stack.rows).await;
        // The function holds the observation and waits for the charts. The test holds the charts
        // and now asks for the observation.
        transaction
            .batch_execute("UPDATE observations SET missing_since = missing_since")
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(function.invoke(&messages), meet);
    assert_eq!(answer.unwrap(), failed(&[]));
    assert!(
        function.log().iter().any(|line| line.contains("writing the observations again")),
        "{:?}",
        function.log()
    );
    let moved = "SELECT count(*) FROM helm_charts WHERE image_tag = '1.0.0'";
    assert_eq!((charts(&stack).await, count(&stack.rows, moved).await), (3, 2));
}

/// Fault 10.
#[tokio::test]
async fn read_only_database_is_retried() {
    let stack = Stack::new().await;
    let messages = pushes(&stack, 2).await;
    let name: String =
        stack.rows.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    let read_only =
        |on| format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {on}");
    stack.rows.batch_execute(&read_only("on")).await.unwrap();
    let function = stack.ecr_events().await;
    let answer = function.invoke_within(&messages, Duration::from_secs(3)).await.unwrap();
    assert_eq!(answer, failed(&["m0", "m1"]));
    let mend = async {
        wait_for_retries(&function, 6).await;
        stack.rows.batch_execute(&read_only("off")).await.unwrap();
    };
    let (answer, ()) = tokio::join!(function.invoke(&messages), mend);
    assert_eq!(answer.unwrap(), failed(&[]));
    assert_eq!(charts(&stack).await, 2);
}

#[tokio::test]
async fn message_that_causes_a_panic_fails_alone() {
    let stack = Stack::new().await;
    let mut messages = pushes(&stack, 10).await;
    let poison = event("PUSH", "my-org/poison", Some("1.0.0"), &Digest::sha256(b"")).to_string();
    messages["Records"][4]["body"] = Value::String(poison);
    let function = stack.ecr_events_with(&[("TEST_PANIC_ON", "my-org/poison")]).await;
    for _ in 0..2 {
        assert_eq!(function.invoke(&messages).await.unwrap(), failed(&["m4"]));
        assert_eq!(charts(&stack).await, 9);
    }
}
