//! What `oci-poll` remembers: what that spares, what losing it costs, and who may write it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tests::registry::{Options, Registry};
use tokio_postgres::Client;

use crate::support::aws_proxy::{AwsProxy, Fault};
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::{edit_lease, milliseconds_from_now};
use crate::support::stack::{Stack, count, instance};

const SHORT: Duration = Duration::from_secs(3);

/// Rows that were written, table by table, as Postgres counts them.
async fn writes(client: &Client) -> BTreeMap<String, i64> {
    client.batch_execute("SELECT pg_stat_force_next_flush()").await.ok();
    let sql = "SELECT relname::text, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_new_process_over_an_unchanged_registry_asks_for_each_list_once_and_writes_nothing() {
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
    assert_eq!(
        (&first["added"], &first["complete"]),
        (&json!(3 * REPOSITORIES), &json!(true)),
        "{first}"
    );

    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    let (requests_before, cursor) = (registry.requests().len(), stack.cursor_items().await);
    let before = writes(&stack.rows).await;
    let second = function.invoke(&instance).await.unwrap();
    drop(function);
    let mut after = writes(&stack.rows).await;
    // A backend reports its counts when it ends.
    while after.get("discovery_instances") == before.get("discovery_instances") {
        after = writes(&stack.rows).await;
    }
    assert_eq!(
        (&second["repositories"], &second["complete"]),
        (&json!(REPOSITORIES), &json!(true)),
        "{second}"
    );
    let requests = registry.requests().split_off(requests_before);
    let of = |part: &str| requests.iter().filter(|request| request.contains(part)).count();
    println!(
        "{REPOSITORIES} unchanged repositories, new process: {} requests to the registry, DynamoDB \
         {:?}",
        requests.len(),
        proxy.calls()
    );
    assert_eq!((of("/v2/_catalog"), of("/tags/list"), of("/manifests/")), (1, REPOSITORIES, 0));
    assert_eq!(requests.len(), 1 + REPOSITORIES);
    assert_eq!(proxy.calls(), ["GetItem", "UpdateItem", "Query", "UpdateItem"]);
    assert_eq!(stack.cursor_items().await, cursor);
    let changed: Vec<(&String, i64)> =
        after.iter().map(|(table, count)| (table, count - before[table])).collect();
    let changed: Vec<&(&String, i64)> = changed.iter().filter(|(_, rows)| *rows > 0).collect();
    assert_eq!(changed, [&(&"discovery_instances".to_owned(), 1)]);
}

#[tokio::test]
async fn a_warm_process_reads_no_entries_again_unless_somebody_else_wrote() {
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
    assert_eq!((&summary["manifests"], &summary["complete"]), (&json!(0), &json!(true)));
    assert_eq!(proxy.calls()[calls..], ["GetItem", "UpdateItem", "Query", "UpdateItem"]);
}

#[tokio::test]
async fn passes_repeat_within_an_invocation_and_keep_their_distance() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("500ms");
    let function = stack.oci_poll().await;
    let summary = function.invoke_within(&instance, SHORT).await.unwrap();
    let passes = summary["passes"].as_u64().unwrap();
    // At 0, 0.5 and 1 s; one at 1.5 s would have no second left. Fewer where the machine is slow.
    assert!((2..=3).contains(&passes), "{summary}");
    assert_eq!(fake.count("GET", "/v2/_catalog") as u64, passes);
    assert_eq!(
        (&summary["repositories"], &summary["added"], &summary["complete"]),
        (&json!(1), &json!(1), &json!(true))
    );

    // From a minute up the last pass counts, whoever made it.
    instance["oci"]["pollInterval"] = json!("10m");
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_eq!((&summary["passes"], &summary["errors"]), (&json!(0), &json!([])), "{summary}");
    assert_eq!(fake.count("GET", "/v2/_catalog") as u64, passes);
}

/// Fault 26.
#[tokio::test]
async fn next_invocations_resume_an_interrupted_scan_and_fetch_nothing_twice() {
    const REPOSITORIES: usize = 300;
    const TAGS: usize = 4;
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..REPOSITORIES).map(|n| format!("r{n:03}")).collect();
    for (page, names) in names.chunks(150).enumerate() {
        let query = if page == 0 { "n=1000" } else { "last=r149" };
        let answer = fake.answer(&format!("/v2/_catalog?{query}"), json!({"repositories": names}));
        if page == 0 {
            answer.link("</v2/_catalog?last=r149>; rel=\"next\"");
        }
    }
    let tags: Vec<String> = (0..TAGS).map(|n| format!("1.{n}.0")).collect();
    for name in &names {
        fake.tags(name, &tags.iter().map(String::as_str).collect::<Vec<_>>());
        for tag in &tags {
            fake.chart(name, tag, &format!("{name} {tag}")).slow(Duration::from_millis(40));
        }
    }
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(8);
    // 1,200 manifests, 8 at a time, 40 ms each: 6 s at the least. Each invocation has two for
    // looking.
    let time = Duration::from_millis(3400);
    let (mut invocations, mut added) = (0, 0);
    loop {
        let began = std::time::Instant::now();
        let function = stack.oci_poll().await;
        let summary = function.invoke_within(&instance, time).await.unwrap();
        assert!(began.elapsed() < time, "answered after its deadline");
        (invocations, added) = (invocations + 1, added + summary["added"].as_u64().unwrap());
        if summary["complete"] == true {
            break;
        }
        assert!(summary["errors"][0].as_str().unwrap().contains("time was over"), "{summary}");
    }
    let mut fetched: HashMap<String, usize> = HashMap::new();
    for asked in fake.asked().iter().filter(|asked| asked.path.contains("/manifests/")) {
        *fetched.entry(asked.path.clone()).or_default() += 1;
    }
    let twice = fetched.values().filter(|times| **times > 1).count();
    println!(
        "{invocations} invocations, {} lists, {} manifests, {twice} of them twice",
        fake.count("GET", "/tags/list"),
        fake.count("GET", "/manifests/")
    );
    assert!((3..=5).contains(&invocations), "{invocations}");
    assert_eq!((added, fetched.len()), ((REPOSITORIES * TAGS) as u64, REPOSITORIES * TAGS));
    assert!(twice <= 8 * invocations, "more than the requests in flight: {twice}");
    // The first page was not read again.
    assert!(fake.count("GET", "/v2/_catalog?n=1000") < invocations);
}

#[tokio::test]
async fn a_refused_position_restarts_the_listing() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]})).link("<?last=a>; rel=next");
    fake.answer("/v2/_catalog?last=a", json!({"repositories": ["b"]}));
    fake.tags("a", &[]);
    fake.tags("b", &[]).hang();
    let function = stack.oci_poll().await;
    assert_eq!(
        function.invoke_within(&instance(&fake.url()), SHORT).await.unwrap()["complete"],
        false
    );
    // The name that the position stands for is gone.
    for status in [400, 404] {
        fake.answer("/v2/_catalog?last=a", json!("")).status(status);
        fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["b"]}));
        fake.tags("b", &[]);
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        assert_eq!(
            (&summary["complete"], &summary["errors"]),
            (&json!(true), &json!([])),
            "{status}"
        );
    }
}

/// Remembers all rows, and brings them back.
async fn backup(client: &Client, action: &str) {
    for table in [
        "k8s_deployment_kinds",
        "helm_registries",
        "helm_charts",
        "observations",
        "discovery_instances",
    ] {
        let sql = format!(
            "SELECT string_agg(column_name::text, ', ') FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = '{table}' AND is_generated = 'NEVER'"
        );
        let columns: String = client.query_one(&sql, &[]).await.unwrap().get(0);
        let sql = match action {
            "make" => format!("CREATE TABLE backup_{table} AS TABLE {table}"),
            _ => format!(
                "TRUNCATE {table} CASCADE; INSERT INTO {table} ({columns}) SELECT {columns} FROM \
                 backup_{table}"
            ),
        };
        client.batch_execute(&sql).await.unwrap();
    }
}

async fn ids(client: &Client) -> HashMap<(String, String, String), uuid::Uuid> {
    let sql = "SELECT r.repo_name, c.image_tag, c.image_digest, c.id::text
        FROM helm_charts AS c JOIN helm_registries AS r ON r.id = c.helm_registry_id";
    let rows = client.query(sql, &[]).await.unwrap();
    let id = |row: &tokio_postgres::Row| row.get::<_, String>(3).parse().unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2)), id(row))).collect()
}

/// A registry in which a chart was added, one deleted, one overwritten by another and one by an
/// image since yesterday. Gives what is available today.
async fn a_day_passes(stack: &Stack) -> Vec<String> {
    let push = async |tag: &'static str, content: &'static str| {
        stack.pusher.push_chart("team/api", tag, content).await.unwrap()
    };
    let kept = stack.pusher.push_chart("team/web", "1.0.0", "web").await.unwrap();
    let deleted = push("1.0.0", "a").await;
    for (tag, content) in [("2.0.0", "b"), ("3.0.0", "c"), ("4.0.0", "d")] {
        push(tag, content).await;
    }
    assert_eq!(stack.oci_poll().await.invoke(&stack.instance()).await.unwrap()["added"], 5);
    backup(&stack.rows, "make").await;
    stack.pusher.delete("team/api", &deleted).await.unwrap();
    let moved = push("2.0.0", "moved").await;
    stack.pusher.push_image("team/api", "3.0.0", "image").await.unwrap();
    let same = push("4.0.0", "d").await;
    let new = push("5.0.0", "new").await;
    let mut rows = vec![format!("LOCAL team/web web 1.0.0 {kept} available")];
    for (tag, digest) in [("2.0.0", moved), ("4.0.0", same), ("5.0.0", new)] {
        rows.push(format!("LOCAL team/api api {tag} {digest} available"));
    }
    rows.sort();
    rows
}

async fn available(stack: &Stack) -> Vec<String> {
    stack.charts().await.into_iter().filter(|row| row.ends_with(" available")).collect()
}

/// Fault 20.
#[tokio::test]
async fn lost_cursor_costs_one_pass_and_no_row() {
    let stack = Stack::new().await;
    let today = a_day_passes(&stack).await;
    let before = ids(&stack.rows).await;
    stack.dynamodb.clear().await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(available(&stack).await, today);
    let after = ids(&stack.rows).await;
    assert!(before.iter().all(|(chart, id)| after[chart] == *id));

    // Once more, with nothing to do.
    stack.dynamodb.clear().await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let changes = [&summary["added"], &summary["unavailable"], &summary["manifests"]];
    assert_eq!((changes, &summary["complete"]), ([&json!(0); 3], &json!(true)), "{summary}");
}

#[tokio::test]
async fn a_restored_database_is_noticed_and_one_pass_mends_it() {
    let stack = Stack::new().await;
    let today = a_day_passes(&stack).await;
    let function = stack.oci_poll().await;
    let yesterday = ids(&stack.rows).await;
    // Today is polled: the cursor knows it, and the new chart was seen.
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["added"], 1);
    backup(&stack.rows, "restore").await;
    let summary = function.invoke(&stack.instance()).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(available(&stack).await, today);
    let after = ids(&stack.rows).await;
    assert!(yesterday.iter().all(|(chart, id)| after[chart] == *id));
    assert!(function.log().iter().any(|line| line.contains("a backup was restored")));
}

/// Fault 20.
#[tokio::test]
async fn corrupt_and_older_items_are_dropped_and_rescanned() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("team/api", "1.0.0", "a").await.unwrap();
    let function = stack.oci_poll().await;
    function.invoke(&stack.instance()).await.unwrap();
    let rows = stack.charts().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    for (attribute, value) in [
        ("cursor", text("{\"registry\":3")),
        ("cursor", number("5")),
        ("format", number("99")),
        ("format", text("one")),
        ("counter", text("rubbish")),
        ("owner", number("1")),
    ] {
        edit_lease(&stack, &[(attribute, value.clone())]).await;
        let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
        assert_eq!(
            (&summary["complete"], &summary["added"]),
            (&json!(true), &json!(0)),
            "{attribute} {value:?}"
        );
    }
    for rubbish in [vec![], vec![1, 2, 3], vec![7; 18]] {
        for item in 0..16 {
            stack
                .dynamodb
                .put_packed("test", &format!("repositories#{item:x}"), &rubbish)
                .await
                .unwrap();
        }
        let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
        assert_eq!(
            (&summary["complete"], &summary["added"]),
            (&json!(true), &json!(0)),
            "{rubbish:?}"
        );
    }
    assert_eq!(stack.charts().await, rows);
}

#[tokio::test]
async fn another_registry_under_the_same_name_is_another_cursor() {
    let stack = Stack::new().await;
    let (one, other) =
        (FakeRegistry::with_charts(&["1.0.0"]).await, FakeRegistry::with_charts(&["1.0.0"]).await);
    let function = stack.oci_poll().await;
    for fake in [&one, &other] {
        assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
    }
}

/// Fault 19.
#[tokio::test]
async fn pass_without_dynamodb_ends_with_an_error_and_keeps_the_cursor() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    let function = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    function.invoke(&instance(&fake.url())).await.unwrap();
    let cursor = stack.cursor_items().await;
    let cold = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    for (operation, function) in
        [("GetItem", &function), ("UpdateItem", &function), ("Query", &cold)]
    {
        proxy.spoil(operation, Fault::Throttle, 3);
        let error = function.invoke(&instance(&fake.url())).await.unwrap_err().to_string();
        assert!(
            error.contains("CURSOR_TABLE") && error.contains("slow down") && !error.contains('\n'),
            "{error}"
        );
        assert_eq!(stack.cursor_items().await, cursor, "{operation}");
        edit_lease(&stack, &[("held", AttributeValue::Bool(false))]).await;
    }
    let health = "SELECT count(*) FROM discovery_instances WHERE last_error LIKE '%CURSOR_TABLE%' \
                  AND last_summary IS NOT NULL";
    assert_eq!(count(&stack.rows, health).await, 1);

    let away = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")]).await;
    let error = away.invoke(&instance(&fake.url())).await.unwrap_err().to_string();
    assert!(error.contains("CURSOR_TABLE") && !error.contains('\n'), "{error}");
    // And then everything goes on, with the cursor as it was.
    let manifests = fake.count("GET", "/manifests/");
    assert_eq!(
        stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap()["complete"],
        true
    );
    assert_eq!(fake.count("GET", "/manifests/"), manifests);
}

/// Fault 21.
#[tokio::test]
async fn crash_between_rows_and_cursor_is_harmless() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    proxy.spoil("TransactWriteItems", Fault::Swallow, 9);
    let crashing = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    let instance = instance(&fake.url());
    let crash = async {
        proxy.wait_for("TransactWriteItems").await;
        crashing.signal("KILL").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(crashing.invoke(&instance), crash);
    assert!(outcome.is_err());
    let rows = stack.charts().await;
    assert_eq!((rows.len(), stack.cursor_items().await.len()), (2, 0));
    edit_lease(&stack, &[("held_until", milliseconds_from_now(-3600))]).await;
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_eq!(
        (&summary["complete"], &summary["added"], &summary["manifests"]),
        (&json!(true), &json!(0), &json!(0))
    );
    assert_eq!(stack.charts().await, rows);
}

/// Fault 21.
#[tokio::test]
async fn rows_written_and_undone_between_two_cursors_are_noticed() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0", "2.0.0"]).await;
    let proxy = AwsProxy::start(stack.dynamodb.endpoint()).await;
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    // A deletion is written, and the invocation ends before its cursor is.
    fake.tags("a", &["2.0.0"]);
    fake.absent("a", "1.0.0");
    let crashing = stack.oci_poll_with(&[("AWS_ENDPOINT_URL_DYNAMODB", proxy.url())]).await;
    proxy.spoil("TransactWriteItems", Fault::Swallow, 9);
    let url = instance(&fake.url());
    let crash = async {
        proxy.wait_for("TransactWriteItems").await;
        crashing.signal("KILL").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(crashing.invoke(&url), crash);
    assert!(outcome.is_err());
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await, 1);
    // The tag comes back, and the list is the one that the stored cursor knows.
    fake.tags("a", &["1.0.0", "2.0.0"]);
    fake.chart("a", "1.0.0", "1.0.0");
    edit_lease(&stack, &[("held_until", milliseconds_from_now(-3600))]).await;
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert_eq!((&summary["added"], &summary["complete"]), (&json!(1), &json!(true)), "{summary}");
}

#[tokio::test]
async fn every_tag_is_verified_after_a_lost_cursor_over_several_invocations() {
    let stack = Stack::new().await;
    let tags: Vec<String> = (0..1200).map(|n| format!("1.{n}.0")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let fake = FakeRegistry::with_charts(&tags).await;
    stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    fake.chart("a", tags[1199], "moved").slow(Duration::from_millis(12));
    for tag in &tags[..1199] {
        fake.chart("a", tag, tag).slow(Duration::from_millis(12));
    }
    stack.dynamodb.clear().await.unwrap();
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(4);
    // 1,200 HEAD requests, 4 at a time, 12 ms each: 3.6 s at the least.
    let (mut invocations, mut added) = (0, 0);
    loop {
        let summary = stack.oci_poll().await.invoke_within(&instance, SHORT).await.unwrap();
        (invocations, added) = (invocations + 1, added + summary["added"].as_u64().unwrap());
        if summary["complete"] == true {
            break;
        }
        assert!(invocations < 20, "no progress: {summary}");
    }
    let heads = fake.count("HEAD", "/manifests/");
    println!("{heads} HEAD requests for 1,200 tags in {invocations} invocations");
    assert!(invocations > 1 && added == 1, "{invocations} {added}");
    assert!(heads < 1200 + invocations * 600, "verified over and over: {heads}");
}

#[tokio::test]
async fn health_is_written_at_the_end_of_each_invocation() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let function = stack.oci_poll().await;
    let health = async || {
        let sql = "SELECT provider, source, last_started_at IS NOT NULL, last_succeeded_at::text, \
                   last_error,
            last_summary::text, generation FROM discovery_instances WHERE name = 'test'";
        stack.rows.query_one(sql, &[]).await.unwrap()
    };
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    let good = health().await;
    assert_eq!((good.get::<_, &str>(0), good.get::<_, &str>(1)), ("oci", fake.url().as_str()));
    let succeeded = good.get::<_, Option<String>>(3);
    assert!(
        good.get::<_, bool>(2) && succeeded.is_some() && good.get::<_, Option<&str>>(4).is_none()
    );
    assert_eq!(serde_json::from_str::<Value>(good.get(5)).unwrap(), summary);
    assert_eq!(good.get::<_, i64>(6), 1);

    fake.catalog(&[]).status(403);
    function.invoke(&instance(&fake.url())).await.unwrap();
    let bad = health().await;
    assert!(bad.get::<_, &str>(4).contains("403 Forbidden"));
    assert_eq!((bad.get::<_, Option<String>>(3), bad.get::<_, i64>(6)), (succeeded, 1));
}
