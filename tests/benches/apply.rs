//! Measures how fast `apply` writes 10,000 new charts, against COPY of the same rows of
//! `helm_charts` alone into a table with the same indexes. Prints COPY without indexes too, which
//! shows what the indexes cost.
//!
//! `cargo build --profile bench -p migrate && cargo bench -p tests --bench apply`, with `ROWS` in
//! the environment for another number of charts.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::{SinkExt as _, pin_mut};
use serde_json::json;
use shared::config::{DatabaseLogin, DatabaseSettings, Environment};
use shared::db::{Database, Writer};
use shared::domain::{
    ChartContents, Contents, Digest, KindNaming, Observation, Reference, Registry, Resolution,
    Subject, TagFormats,
};
use tests::function::Function;
use tests::postgres::{self, Server};
use time::OffsetDateTime;
use tokio_postgres::Client;

const WRITER: Writer<'_> =
    Writer { instance: Some("bench"), notes_changes: false, kind_naming: KindNaming::Name };

/// Charts per repository.
const TAGS: usize = 100;

/// Runs of each, of which the fastest counts.
const RUNS: usize = 5;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rows: usize = Environment::of_process()
        .get("ROWS")
        .unwrap_or("10000")
        .parse()
        .context("ROWS is not a number")?;
    let server = Server::start().await?;
    let (mut apply, mut copy, mut indexed) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for run in 0..RUNS {
        let url = server.create_database(&format!("run_{run}")).await?;
        Function::start("migrate", &[("DATABASE_URL", &url)]).await?.invoke(&json!({})).await?;
        let client = postgres::connect(&url).await?;
        apply = apply.min(apply_all(&url, rows).await?);
        client
            .batch_execute("CREATE TABLE plain AS SELECT * FROM helm_charts WITH NO DATA")
            .await?;
        let same = "CREATE TABLE same (LIKE helm_charts INCLUDING ALL)";
        client.batch_execute(same).await?;
        copy = copy.min(copy_into(&client, "plain").await?);
        indexed = indexed.min(copy_into(&client, "same").await?);
    }
    println!("{rows} charts in {} repositories, the best of {RUNS} runs", rows / TAGS);
    print("COPY of the chart rows alone", indexed, indexed);
    print("COPY of the chart rows alone, without indexes", copy, indexed);
    print("apply: the rows of four tables, limit 0.30", apply, indexed);
    Ok(())
}

fn print(what: &str, took: Duration, limit: Duration) {
    let ratio = limit.as_secs_f64() / took.as_secs_f64();
    println!("{what:52} {:6.0} ms, {ratio:.2} of its speed", took.as_secs_f64() * 1e3);
}

async fn apply_all(url: &str, rows: usize) -> anyhow::Result<Duration> {
    let login = DatabaseLogin::Url(Box::new(url.parse()?));
    let database = Database::new(DatabaseSettings { login, ca_file: None })?;
    let now = database.now().await?;
    let formats = TagFormats::new(1, Vec::new());
    let observations = observations(rows, now)?;
    let began = Instant::now();
    database.apply(&observations, WRITER, Some(&formats)).await?;
    Ok(began.elapsed())
}

fn observations(rows: usize, observed_at: OffsetDateTime) -> anyhow::Result<Vec<Observation>> {
    let registry = Arc::new(Registry::named("https://ghcr.io".parse()?));
    let observation = |n: usize| -> anyhow::Result<Observation> {
        Ok(Observation {
            subject: Subject {
                registry: Arc::clone(&registry),
                repository: format!("team/chart-{}", n / TAGS).parse()?,
                reference: Reference::Tag(format!("1.{n}.0").parse()?),
            },
            observed_at,
            resolution: Resolution::Chart {
                digest: Digest::sha256(n.to_string().as_bytes()),
                created_at: None,
                contents: ChartContents::New(Arc::new(Contents {
                    chart_name: Some("chart".to_owned()),
                    chart_version: Some(format!("1.{n}.0")),
                    description: Some("A chart that answers".to_owned()),
                    values_ui: Some(
                        json!({"apiVersion": "platz.io/v1beta1", "inputs": []}).to_string(),
                    ),
                    ..Contents::default()
                })),
            },
            is_requested: false,
        })
    };
    (0..rows).map(observation).collect()
}

async fn copy_into(client: &Client, table: &str) -> anyhow::Result<Duration> {
    let source = client.copy_out("COPY helm_charts TO STDOUT (FORMAT binary)").await?;
    let chunks: Vec<_> = futures_util::TryStreamExt::try_collect(source).await?;
    let began = Instant::now();
    let sink = client.copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)")).await?;
    pin_mut!(sink);
    for chunk in chunks {
        sink.feed(chunk).await?;
    }
    sink.finish().await?;
    Ok(began.elapsed())
}
