//! Tags are parsed when their charts arrive, and parsed again when the formats change.

use std::time::Duration;

use serde_json::{Value, json};
use tests::chart::Archive;
use tests::function::Function;
use tests::postgres::TestDatabase;
use tokio_postgres::Client;

use crate::support::assert_summary::assert_summary;
use crate::support::stack::{ECR, Stack, batch, count, event};
use crate::support::tag_formats::{BUILD, SEMVER, add_format, insert_charts};

const ON: (&str, &str) = ("ENABLE_TAG_PARSER", "true");

async fn parser(database: &TestDatabase) -> Function {
    Function::start("tag-parser", &[("DATABASE_URL", database.url()), ON]).await.unwrap()
}

/// Returns `tag format version revision branch commit` of each row, with a dash for an absent
/// value.
async fn parsed(rows: &Client) -> Vec<String> {
    let sql = "\
        SELECT concat_ws(' ', chart.image_tag, coalesce(left(format.pattern, 6), '-'), \
        coalesce(parsed_version, '-'),
            coalesce(parsed_revision, '-'), coalesce(parsed_branch, '-'), coalesce(parsed_commit, \
            '-'))
        FROM helm_charts AS chart LEFT JOIN helm_tag_formats AS format ON format.id = \
        chart.tag_format_id
        ORDER BY chart.image_tag";
    rows.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn database() -> (TestDatabase, Client) {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    (database, rows)
}

/// Makes the hourly search for rows that were written by hand due.
async fn make_search_due(rows: &Client) {
    let sql = "UPDATE helm_tag_formats_version SET tidied_at = tidied_at - interval '1 hour'";
    rows.batch_execute(sql).await.unwrap();
}

fn done(formats: u64, checked: u64, changed: u64) -> Value {
    json!({"formats": formats, "checked": checked, "changed": changed, "complete": true})
}

#[tokio::test]
async fn charts_are_parsed_on_arrival_by_both_writers() {
    let stack = Stack::new().await;
    add_format(&stack.rows, SEMVER).await;
    let layer = |name: &str| {
        let chart = format!(
            "apiVersion: v2\nname: {name}\nversion: 9.9.9+meta\nannotations: \
             {{platz.io/git/branch: trunk, platz.io/git/commit: f00}}\n"
        );
        Archive::new().file("chart/Chart.yaml", chart).pack()
    };
    stack.pusher.push_archive("team/api", "1.2.3", &layer("a")).await.unwrap();
    let digest =
        stack.pusher.push_archive("team/api", "main-7-abc1234", &layer("b")).await.unwrap();
    let poll = stack.oci_poll_with(&[ON]).await;
    assert_eq!(poll.invoke(&stack.instance()).await.unwrap()["added"], 2);
    let fallback = "- 9.9.9+meta - trunk f00";
    assert_eq!(
        parsed(&stack.rows).await,
        ["1.2.3 ^v?(?P 1.2.3 - - -", &format!("main-7-abc1234 {fallback}")]
    );
    let current = "SELECT count(*) FROM helm_charts AS chart
        JOIN helm_chart_details AS detail ON detail.chart_id = chart.id
        JOIN helm_tag_formats_version AS formats ON formats.version = detail.parsed_with";
    assert_eq!(count(&stack.rows, current).await, 2);

    // A warm process notices the changed formats in its next invocation.
    stack.rows.batch_execute("DELETE FROM helm_charts; DELETE FROM observations").await.unwrap();
    let ecr = stack.ecr_events_with(&[ON]).await;
    let push = |tag| batch(&[event("PUSH", "team/api", Some(tag), &digest).to_string()]);
    ecr.invoke(&push("main-7-abc1234")).await.unwrap();
    add_format(&stack.rows, BUILD).await;
    stack.rows.batch_execute("DELETE FROM helm_charts; DELETE FROM observations").await.unwrap();
    ecr.invoke(&push("main-7-abc1234")).await.unwrap();
    assert_eq!(parsed(&stack.rows).await, ["main-7-abc1234 ^(?P<b - 7 main abc1234"]);
    assert_eq!(count(&stack.rows, current).await, 1);
    assert_eq!(
        count(
            &stack.rows,
            &format!("SELECT count(*) FROM helm_registries WHERE domain_name = '{ECR}'")
        )
        .await,
        1
    );
}

#[tokio::test]
async fn chart_itself_gives_the_version_while_the_parser_is_off() {
    let stack = Stack::new().await;
    add_format(&stack.rows, SEMVER).await;
    stack.pusher.push_chart("team/api", "1.2.3", "a").await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_eq!(parsed(&stack.rows).await, ["1.2.3 - 1.0.0 - - -"]);
    let off =
        Function::start("tag-parser", &[("DATABASE_URL", stack.database.url())]).await.unwrap();
    let answer = off.invoke(&json!({})).await.unwrap();
    assert_summary!(
        answer,
        checked = 0,
        disabled = "ENABLE_TAG_PARSER is not true: no tag is parsed"
    );
    assert_eq!(parsed(&stack.rows).await, ["1.2.3 - 1.0.0 - - -"]);
    // Once the parser is on, the existing rows count as behind.
    assert_eq!(parser(&stack.database).await.invoke(&json!({})).await.unwrap(), done(1, 1, 1));
    assert_eq!(parsed(&stack.rows).await, ["1.2.3 ^v?(?P 1.2.3 - - -"]);
}

#[tokio::test]
async fn adding_editing_and_deleting_a_format_are_noticed() {
    let (database, rows) = database().await;
    insert_charts(&rows, "VALUES ('1.2.3'), ('main-7-abc1234'), ('latest')").await;
    let function = parser(&database).await;
    let run = async || function.invoke(&json!({})).await.unwrap();
    assert_eq!(run().await, done(0, 3, 3));
    let untold = |tag: &str| format!("{tag} - 0.1.0+x - trunk -");
    assert_eq!(parsed(&rows).await, ["1.2.3", "latest", "main-7-abc1234"].map(untold));
    assert_eq!(run().await, done(0, 0, 0));

    add_format(&rows, SEMVER).await;
    assert_eq!(run().await, done(1, 3, 1));
    add_format(&rows, BUILD).await;
    assert_eq!(run().await, done(2, 3, 1));
    let expected = [
        "1.2.3 ^v?(?P 1.2.3 - - -".to_owned(),
        untold("latest"),
        "main-7-abc1234 ^(?P<b - 7 main abc1234".to_owned(),
    ];
    assert_eq!(parsed(&rows).await, expected);
    assert_eq!(run().await, done(2, 0, 0));

    // This edit by hand makes the oldest pattern match all tags.
    rows.execute(
        "UPDATE helm_tag_formats SET pattern = '^(?P<branch>.+)$' WHERE pattern = $1",
        &[&SEMVER],
    )
    .await
    .unwrap();
    assert_eq!(run().await, done(2, 3, 3));
    assert_eq!(parsed(&rows).await[1], "latest ^(?P<b - - latest -");
    rows.batch_execute("DELETE FROM helm_tag_formats WHERE pattern = '^(?P<branch>.+)$'")
        .await
        .unwrap();
    assert_eq!(run().await, done(1, 3, 3));
    rows.batch_execute("TRUNCATE helm_tag_formats CASCADE").await.unwrap();
    assert_eq!(run().await["formats"], 0);
}

#[tokio::test]
async fn format_can_be_deleted_while_its_charts_are_written() {
    let stack = Stack::new().await;
    insert_charts(
        &stack.rows,
        "SELECT 'main-' || n || '-abcdef0' FROM generate_series(1, 30000) AS n",
    )
    .await;
    add_format(&stack.rows, BUILD).await;
    let function = parser(&stack.database).await;
    function.invoke(&json!({})).await.unwrap();
    for round in 0..3 {
        for n in 0..20 {
            let tag = format!("main-{n}-abcdef0");
            stack.pusher.push_chart("team/api", &tag, &format!("{round} {n}")).await.unwrap();
        }
        let (poll, rows) =
            (stack.oci_poll_with(&[ON]).await, stack.database.connect().await.unwrap());
        let mut instance = stack.instance();
        instance["oci"]["domain"] = json!("https://ghcr.io");
        instance["name"] = json!(format!("round {round}"));
        let deleted = rows.execute("DELETE FROM helm_tag_formats", &[]);
        let payload = json!({});
        let (deleted, polled, parsed) =
            tokio::join!(deleted, poll.invoke(&instance), function.invoke(&payload));
        assert_eq!(deleted.unwrap(), 1);
        assert!(polled.unwrap()["complete"] == true && parsed.unwrap()["complete"] == true);
        function.invoke(&json!({})).await.unwrap();
        assert_eq!(
            count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE tag_format_id IS NOT NULL")
                .await,
            0
        );
        add_format(&stack.rows, BUILD).await;
        function.invoke(&json!({})).await.unwrap();
    }
}

/// Hostile input 34.
#[tokio::test]
async fn unusable_stored_pattern_does_not_stop_the_others() {
    let (database, rows) = database().await;
    insert_charts(&rows, "VALUES ('1.2.3')").await;
    for pattern in ["(?P<version>(?:a{1000}){1000})", "(?<=x)(?P<version>.)", "(", SEMVER] {
        add_format(&rows, pattern).await;
    }
    let too_long = rows
        .execute("INSERT INTO helm_tag_formats (pattern) VALUES (repeat('x', 1000000))", &[])
        .await;
    assert!(
        too_long.unwrap_err().as_db_error().unwrap().message().contains("helm_tag_formats_pattern")
    );
    let function = parser(&database).await;
    assert_eq!(function.invoke(&json!({})).await.unwrap(), done(4, 1, 1));
    assert_eq!(parsed(&rows).await, ["1.2.3 ^v?(?P 1.2.3 - - -"]);
    let warnings: Vec<String> =
        function.log().into_iter().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.len() == 3 && warnings[1].contains("look-around"), "{warnings:#?}");
    assert_eq!(function.invoke(&json!({})).await.unwrap()["checked"], 0);
}

#[tokio::test]
async fn run_after_a_killed_run_ends_as_one_run_would() {
    let (database, rows) = database().await;
    insert_charts(
        &rows,
        "SELECT 'main-' || n || '-' || left(md5(n::text), 7) FROM generate_series(1, 60000) AS n",
    )
    .await;
    for n in 0..9 {
        add_format(&rows, &format!("^no-{n}-(?P<version>.+)$")).await;
    }
    add_format(&rows, BUILD).await;
    let behind = "SELECT count(*) FROM helm_charts AS chart
        CROSS JOIN helm_tag_formats_version AS formats
        LEFT JOIN helm_chart_details AS detail ON detail.chart_id = chart.id
        WHERE coalesce(detail.parsed_with, 0) < formats.version";
    let interrupted = parser(&database).await;
    let payload = json!({});
    let half_way = async {
        while count(&rows, behind).await > 45_000 {
            tokio::task::yield_now().await;
        }
        interrupted.signal("KILL").await.unwrap();
    };
    let (ended, ()) = tokio::join!(interrupted.invoke(&payload), half_way);
    assert!(ended.is_err());
    // The server finishes the page that the killed run had sent.
    let connected =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'helm-chart-discovery'
        AND datname = current_database()";
    while count(&rows, connected).await > 0 {
        tokio::task::yield_now().await;
    }
    let left = count(&rows, behind).await;
    assert!((1..60_000).contains(&left), "{left}");
    // Two runs and a writer work at the same time.
    let (one, other) = (parser(&database).await, parser(&database).await);
    let write = insert_charts(&rows, "VALUES ('main-0-0000000')");
    let (one, other, ()) = tokio::join!(one.invoke(&payload), other.invoke(&payload), write);
    let checked = |answer: anyhow::Result<Value>| answer.unwrap()["checked"].as_i64().unwrap();
    make_search_due(&rows).await;
    let again = checked(parser(&database).await.invoke(&payload).await);
    assert_eq!(checked(one) + checked(other) + again, left + 1, "no row was written twice");
    assert_eq!(count(&rows, behind).await, 0);
    let right = "SELECT count(*) FROM helm_charts WHERE image_tag = 'main-' || parsed_revision || \
                 '-' || parsed_commit
        AND parsed_branch = 'main' AND parsed_version IS NULL AND tag_format_id IS NOT NULL";
    assert_eq!(count(&rows, right).await, 60_001);
}

#[tokio::test]
async fn run_out_of_time_reports_it_and_is_resumed() {
    let (database, rows) = database().await;
    insert_charts(&rows, "SELECT 'main-' || n || '-abcdef0' FROM generate_series(1, 45000) AS n")
        .await;
    add_format(&rows, BUILD).await;
    let function = parser(&database).await;
    // The invocation has time for some pages only.
    let answer = function.invoke_within(&json!({}), Duration::from_millis(1600)).await.unwrap();
    assert_eq!(answer["complete"], false, "{answer}");
    let checked = answer["checked"].as_u64().unwrap();
    assert_eq!(function.invoke(&json!({})).await.unwrap()["checked"], 45_000 - checked);
}

#[tokio::test]
async fn run_without_changes_takes_one_query() {
    let (database, rows) = database().await;
    insert_charts(&rows, "VALUES ('1.2.3')").await;
    let mut url: url::Url = database.url().parse().unwrap();
    let proxy = crate::support::database_proxy::DatabaseProxy::start(database.url()).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    url.set_query(Some("sslmode=disable"));
    let function =
        Function::start("tag-parser", &[("DATABASE_URL", url.as_str()), ON]).await.unwrap();
    function.invoke(&json!({})).await.unwrap();
    let before = proxy.requests();
    assert_eq!(function.invoke(&json!({})).await.unwrap(), done(0, 0, 0));
    assert_eq!(proxy.requests() - before, 1);
}

#[tokio::test]
async fn rows_written_by_hand_are_parsed_within_an_hour() {
    let (database, rows) = database().await;
    add_format(&rows, SEMVER).await;
    let function = parser(&database).await;
    let run = async || function.invoke(&json!({})).await.unwrap();
    assert_eq!(run().await, done(1, 0, 0));
    insert_charts(&rows, "VALUES ('1.2.3')").await;
    assert_eq!(run().await, done(1, 0, 0));
    make_search_due(&rows).await;
    assert_eq!(run().await, done(1, 1, 1));

    // The clock was ahead, and was set back.
    insert_charts(&rows, "VALUES ('1.2.4')").await;
    let ahead = "UPDATE helm_tag_formats_version SET tidied_at = now() + interval '1 day'";
    rows.batch_execute(ahead).await.unwrap();
    assert_eq!(run().await, done(1, 1, 1));
    assert_eq!(run().await, done(1, 0, 0));

    // A changed format finds them at once.
    insert_charts(&rows, "VALUES ('main-7-abc1234')").await;
    add_format(&rows, BUILD).await;
    assert_eq!(run().await, done(2, 3, 1));
}
