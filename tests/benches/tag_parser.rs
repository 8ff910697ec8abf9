//! Measures how fast the tags of all charts are parsed again, against one UPDATE of the same rows,
//! which is the time that Postgres alone takes.
//!
//! `cargo build --profile bench -p migrate -p tag-parser && cargo bench -p tests --bench
//! tag_parser`, with `ROWS=1000000` in the environment for another number of charts than 100,000.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use shared::config::Environment;
use tests::function::Function;
use tests::postgres::{self, Server};
use tokio_postgres::Client;

/// How many formats there are. Nine read the whole tag and match nothing, and one matches every
/// tag.
const FORMATS: usize = 10;

const MATCHING: &str =
    r"^(?P<branch>[a-z]+)-(?P<revision>\d+)-(?P<commit>[0-9a-f]{7})_(?P<version>[0-9.]+)$";

/// Updates every row in one statement, in the columns that the function writes.
const UPDATE: &str = "\
UPDATE helm_charts
SET tag_format_id = (SELECT id FROM helm_tag_formats ORDER BY created_at DESC, id LIMIT 1), \
parsed_version = '1.2.3',
    parsed_revision = '17', parsed_branch = 'main', parsed_commit = 'abcdef0'";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rows: i64 = Environment::of_process()
        .get("ROWS")
        .unwrap_or("100000")
        .parse()
        .context("ROWS is not a number")?;
    let server = Server::start().await?;
    println!("{rows} charts, {FORMATS} formats, every row changes");

    let (_, client) = database(&server, "plain", rows).await?;
    let began = Instant::now();
    client.execute(UPDATE, &[]).await?;
    let limit = began.elapsed();
    println!("one UPDATE of the same rows: {}", speed(rows, limit));

    let (url, client) = database(&server, "parsed", rows).await?;
    let function =
        Function::start("tag-parser", &[("DATABASE_URL", &url), ("ENABLE_TAG_PARSER", "true")])
            .await?;
    // Runs once without work, so that the connection and the process are warm. In production, an
    // invocation a minute keeps them warm.
    client.batch_execute("UPDATE helm_tag_formats_version SET version = 0").await?;
    function.invoke(&json!({})).await?;
    client.batch_execute("UPDATE helm_tag_formats_version SET version = 1").await?;
    let (mut took, mut invocations) = (Duration::ZERO, 0);
    loop {
        let began = Instant::now();
        let answer = function.invoke_within(&json!({}), Duration::from_mins(15)).await?;
        took += began.elapsed();
        invocations += 1;
        if answer.get("complete") == Some(&json!(true)) {
            println!(
                "tag-parser, {invocations} invocation(s): {}, answered {answer}",
                speed(rows, took)
            );
            break;
        }
    }
    println!("of the UPDATE's speed: {:.0} %", limit.as_secs_f64() / took.as_secs_f64() * 100.0);
    println!("memory: {} MiB at most", function.memory_peak()? / 1024 / 1024);
    let began = Instant::now();
    let answer = function.invoke(&json!({})).await?;
    println!(
        "again, nothing changed: {:.1} ms, limit 50, answered {answer}",
        began.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

async fn database(server: &Server, name: &str, rows: i64) -> anyhow::Result<(String, Client)> {
    let url = server.create_database(name).await?;
    Function::start("migrate", &[("DATABASE_URL", &url)]).await?.invoke(&json!({})).await?;
    let client = postgres::connect(&url).await?;
    let fill = format!(
        "INSERT INTO k8s_deployment_kinds (name) VALUES ('api');
        INSERT INTO helm_registries (domain_name, repo_name, kind_id, provider)
        SELECT 'https://ghcr.io', 'team/api-' || n, kind.id, 'Oci'
        FROM k8s_deployment_kinds AS kind, generate_series(1, 100) AS n;
        INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag)
        SELECT now(), registries.ids[1 + n % 100], 'sha256:' || md5(n::text) || md5(n::text),
            'main-' || n || '-' || left(md5(n::text), 7) || '_1.2.' || n
        FROM generate_series(1, {rows}) AS n, (SELECT array_agg(id) AS ids FROM helm_registries) \
        AS registries;
        INSERT INTO helm_chart_details (chart_id) SELECT id FROM helm_charts;
        INSERT INTO helm_chart_contents (digest, chart_name, chart_version)
        SELECT image_digest, 'api', '1.2.3' FROM helm_charts;"
    );
    client.batch_execute(&fill).await?;
    for n in 1..FORMATS {
        let pattern =
            format!(r"^(?P<branch>[a-z]+)-(?P<revision>\d+)-(?P<commit>[0-9a-f]{{7}})_{n}x$");
        client.execute("INSERT INTO helm_tag_formats (pattern) VALUES ($1)", &[&pattern]).await?;
    }
    client.execute("INSERT INTO helm_tag_formats (pattern) VALUES ($1)", &[&MATCHING]).await?;
    client.batch_execute("UPDATE helm_tag_formats_version SET version = 1").await?;
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok((url, client))
}

fn speed(rows: i64, took: Duration) -> String {
    let rows = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
    format!("{:.2} s, {:.0} rows/s", took.as_secs_f64(), rows / took.as_secs_f64())
}
