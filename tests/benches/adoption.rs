//! Measures an adoption of a database of Platz's with 200,000 charts, and the longest wait of the
//! sessions that work on it meanwhile.
//!
//! `cargo build --profile bench -p migrate && cargo bench -p tests --bench adoption`, with
//! `ROWS=1000000` in the environment for another number of charts.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use shared::config::Environment;
use tests::function::Function;
use tests::postgres::{self, Server};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// The tables, as Platz's own migrations leave them.
const SCHEMA: &str = include_str!("../platz/schema.sql");

/// Each session repeats one statement, and reads or writes as Platz's programs do.
const SESSIONS: [(&str, &str); 5] = [
    (
        "reader of charts",
        "SELECT count(*) FROM helm_charts AS chart
        JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
        WHERE chart.id = (SELECT helm_chart_id FROM deployments LIMIT 1)",
    ),
    (
        "writer of deployments, whose foreign key reads a chart",
        "INSERT INTO deployments (name, kind_id, env_id, helm_chart_id)
        SELECT 'd' || gen_random_uuid(), kind_id, env_id, helm_chart_id FROM deployments LIMIT 1",
    ),
    (
        "writer of registries",
        "UPDATE helm_registries SET fa_icon = 'cube'
        WHERE id = (SELECT id FROM helm_registries LIMIT 1)",
    ),
    (
        "writer of kinds",
        "UPDATE deployment_kinds SET name = name
        WHERE id = (SELECT id FROM deployment_kinds LIMIT 1)",
    ),
    (
        "writer of charts (may wait for one index)",
        "UPDATE helm_charts SET available = available
        WHERE id = (SELECT helm_chart_id FROM deployments LIMIT 1)",
    ),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rows: i64 = Environment::of_process()
        .get("ROWS")
        .unwrap_or("200000")
        .parse()
        .context("ROWS is not a number")?;
    let server = Server::start().await?;
    let url = server.create_database("platz").await?;
    let client = postgres::connect(&url).await?;
    fill(&client, rows).await?;
    let migrate = Function::start("migrate", &[("DATABASE_URL", &url)]).await?;
    println!("{rows} charts, beside a backup and {} sessions that work", SESSIONS.len());

    let check = invoke(&migrate, &json!({"adopt": "check"})).await?;
    println!("check: {:.1} s", check.as_secs_f64());

    let backup = postgres::connect(&url).await?;
    backup
        .batch_execute(
            "BEGIN; LOCK TABLE helm_charts, helm_registries, helm_tag_formats, deployment_kinds
            IN ACCESS SHARE MODE",
        )
        .await?;
    let (took, waits) = beside_sessions(&url, invoke(&migrate, &json!({"adopt": true}))).await?;
    println!("adopt: {:.1} s, limit 60", took.as_secs_f64());
    print_waits(&waits);
    backup.batch_execute("COMMIT").await?;

    let again = invoke(&migrate, &json!({"adopt": true})).await?;
    println!("adopt once more: {:.0} ms", again.as_secs_f64() * 1e3);
    let (took, waits) = beside_sessions(&url, invoke(&migrate, &json!({"unadopt": true}))).await?;
    println!("unadopt: {:.1} s", took.as_secs_f64());
    print_waits(&waits);
    Ok(())
}

async fn invoke(migrate: &Function, payload: &serde_json::Value) -> anyhow::Result<Duration> {
    let began = Instant::now();
    migrate.invoke_within(payload, Duration::from_mins(15)).await?;
    Ok(began.elapsed())
}

fn print_waits(waits: &[(&str, usize, Duration)]) {
    for (name, statements, longest) in waits {
        println!(
            "  {name}: {:.0} ms at most, of {statements} statements",
            longest.as_secs_f64() * 1e3
        );
    }
}

/// Runs the sessions as long as `work` lasts. Returns the longest statement of each.
async fn beside_sessions<T>(
    url: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, Vec<(&'static str, usize, Duration)>)> {
    let is_done = Arc::new(AtomicBool::new(false));
    let mut sessions = Vec::new();
    for (name, statement) in SESSIONS {
        let client = postgres::connect(url).await?;
        sessions.push((name, repeat(client, statement, Arc::clone(&is_done))));
    }
    let outcome = work.await;
    is_done.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for (name, session) in sessions {
        let (statements, longest) = session.await??;
        waits.push((name, statements, longest));
    }
    Ok((outcome?, waits))
}

fn repeat(
    client: Client,
    statement: &'static str,
    is_done: Arc<AtomicBool>,
) -> JoinHandle<anyhow::Result<(usize, Duration)>> {
    tokio::spawn(async move {
        let (mut statements, mut longest) = (0, Duration::ZERO);
        while !is_done.load(Ordering::Relaxed) {
            let began = Instant::now();
            client.batch_execute(statement).await?;
            longest = longest.max(began.elapsed());
            statements += 1;
            // Leaves the processors to the adoption.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok((statements, longest))
    })
}

/// Writes the rows: 500 registries, and a chart per tag with what Platz keeps of it.
async fn fill(client: &Client, rows: i64) -> anyhow::Result<()> {
    client.batch_execute(SCHEMA).await?;
    let sql = format!(
        "INSERT INTO deployment_kinds (name) SELECT 'Kind' || n FROM generate_series(1, 500) AS n;
        INSERT INTO helm_registries (created_at, domain_name, repo_name, kind_id, provider)
        SELECT now(), 'registry.example.com', 'team/kind-' || row_number() OVER (), id, 'Oci'
        FROM deployment_kinds;
        INSERT INTO helm_tag_formats (pattern) VALUES ('^(?P<version>\\d+\\.\\d+\\.\\d+)$');
        INSERT INTO helm_charts
            (created_at, helm_registry_id, image_digest, image_tag, values_ui, features,
            tag_format_id, parsed_version, parsed_branch, parsed_commit)
        SELECT now() - n * interval '1 minute', registries.ids[1 + n % 500],
            'sha256:' || md5(n::text) || md5(n::text), n % 30 || '.' || n % 70 || '.' || n,
            jsonb_build_object('inputs', jsonb_build_array(repeat(md5(n::text), 20))),
            '{{\"ingress\": {{\"enabled\": true}}}}', format.id, '1.2.3', '', ''
        FROM generate_series(1, {rows}) AS n, helm_tag_formats AS format,
            (SELECT array_agg(id) AS ids FROM helm_registries) AS registries;
        INSERT INTO envs (name) VALUES ('production');
        INSERT INTO deployments (name, kind_id, env_id, helm_chart_id)
        SELECT 'deployment-' || row_number() OVER (), registry.kind_id, envs.id, chart.id
        FROM envs, helm_charts AS chart
        JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
        LIMIT 1000;"
    );
    client.batch_execute(&sql).await?;
    Ok(client.batch_execute("VACUUM ANALYZE").await?)
}
