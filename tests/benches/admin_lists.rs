//! Measures how fast the admin pages and the API answer with 200,000 charts in 2,000 registries,
//! against a limit of 50 ms. Counts how often they read the whole table of charts.
//!
//! `cargo build --profile bench -p migrate -p admin && cargo bench -p tests --bench admin_lists`,
//! with `ROWS=1000000` in the environment for another number of charts.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use shared::config::Environment;
use tests::admin::Admin;
use tests::function::Function;
use tests::postgres::{self, Server};
use tokio_postgres::Client;

const REGISTRIES: i64 = 2_000;

/// How many requests are sent per route.
const REQUESTS: usize = 200;

/// The limit for the 99th percentile, in milliseconds.
const LIMIT: f64 = 50.0;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rows: i64 = Environment::of_process()
        .get("ROWS")
        .unwrap_or("200000")
        .parse()
        .context("ROWS is not a number")?;
    let server = Server::start().await?;
    let url = server.create_database("charts").await?;
    Function::start("migrate", &[("DATABASE_URL", &url)]).await?.invoke(&json!({})).await?;
    let client = postgres::connect(&url).await?;
    fill(&client, rows).await?;
    let admin = Admin::start(&[("DATABASE_URL", &url), ("RUST_LOG", "warn,admin=info")]).await?;
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(shared::tls::client_config(None)?)
        .build()?;

    println!(
        "{rows} charts in {REGISTRIES} registries, {REQUESTS} requests per route, one after the \
         other"
    );
    println!("{:52} {:>8} {:>8}   limit {LIMIT:.0} ms", "route", "p50 ms", "p99 ms");
    let routes = routes(&Sample::read(&client).await?);
    // Postgres counts this connection's own reads a second later, with its next statement.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    client.batch_execute("SELECT").await?;
    let seen = scans(&client).await?;
    let mut over = 0;
    for (route, addresses) in routes {
        let mut took = Vec::with_capacity(REQUESTS);
        for address in addresses.iter().cycle().take(REQUESTS) {
            let began = Instant::now();
            let answer = http.get(format!("{}{address}", admin.url())).send().await?;
            ensure!(answer.status().is_success(), "{address} answered {}", answer.status());
            answer.bytes().await?;
            took.push(began.elapsed());
        }
        took.sort();
        let at = |hundredth: usize| took.get(REQUESTS * hundredth / 100).map_or(0.0, milliseconds);
        let verdict = if at(99) > LIMIT { "   OVER" } else { "" };
        over += usize::from(at(99) > LIMIT);
        println!("{route:52} {:8.1} {:8.1}{verdict}", at(50), at(99));
    }
    println!("routes over the limit: {over}");
    // Postgres counts admin's reads when its connection ends.
    drop(admin);
    let connected =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'helm-chart-discovery'";
    while client.query_one(connected, &[]).await?.try_get::<_, i64>(0)? > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("reads of the whole table of charts: {}", scans(&client).await? - seen);
    Ok(())
}

fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Writes the rows. One registry has a tenth of the charts, and the others share the rest. Every
/// tenth registry shares its kind with nine more.
async fn fill(client: &Client, rows: i64) -> anyhow::Result<()> {
    let sql = format!(
        "INSERT INTO k8s_deployment_kinds (name) SELECT 'kind-' || n FROM generate_series(1, \
         {REGISTRIES}) AS n;
        INSERT INTO helm_registries (created_at, domain_name, repo_name, kind_id, provider)
        SELECT now() - n * interval '1 hour', 'https://registry-' || n % 7 || '.example.com', \
        'team-' || n % 50 || '/api-' || n,
            kind.id, 'Oci'
        FROM generate_series(1, {REGISTRIES}) AS n
        JOIN k8s_deployment_kinds AS kind ON kind.name = 'kind-' || CASE WHEN n % 10 = 0 THEN (n - \
        1) / 100 * 100 + 1 ELSE n END;
        INSERT INTO helm_tag_formats (pattern) VALUES ('^(?P<branch>[a-z]+)-(?P<revision>\\d+)$');
        INSERT INTO discovery_instances (name, provider) VALUES ('registry', 'oci');
        INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag, available, \
        error, parsed_version, parsed_branch, tag_format_id, values_ui)
        SELECT now() - n * interval '1 minute', registries.ids[CASE WHEN n % 10 = 0 THEN 1 ELSE 1 \
        + n % {REGISTRIES} END],
            'sha256:' || md5(n::text) || md5(n::text),
            CASE WHEN n % 5 = 0 THEN 'main-' || n ELSE n % 30 || '.' || n % 70 || '.' || n END,
            n % 20 <> 3, CASE WHEN n % 500 = 1 THEN 'no Chart.yaml' END, '1.2.3',
            CASE WHEN n % 5 = 0 THEN 'branch-' || n % 97 END,
            CASE WHEN n % 5 = 0 THEN format.id END, '{{\"inputs\": []}}'
        FROM generate_series(1, {rows}) AS n, helm_tag_formats AS format,
            (SELECT array_agg(id ORDER BY created_at DESC) AS ids FROM helm_registries) AS \
            registries;
        INSERT INTO helm_chart_details (chart_id, parsed_with) SELECT id, 2 FROM helm_charts;
        INSERT INTO helm_chart_contents (digest, chart_name, chart_version, description)
        SELECT image_digest, 'api', '1.2.3', 'A chart that answers' FROM helm_charts;"
    );
    client.batch_execute(&sql).await?;
    Ok(client.batch_execute("VACUUM ANALYZE").await?)
}

/// Returns how often the whole table of charts was read.
async fn scans(client: &Client) -> anyhow::Result<i64> {
    let sql = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'helm_charts'";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}

/// The addresses of a route.
type Route = (&'static str, Vec<String>);

/// Ids and names of rows, which the addresses are made of.
struct Sample {
    charts: Vec<String>,
    registries: Vec<String>,
    kinds: Vec<String>,
    kind_names: Vec<String>,
    /// The registry with the most charts.
    largest: String,
    /// The kind with the most registries.
    shared: String,
    /// The kind of the registry with the most charts.
    widest: String,
}

impl Sample {
    async fn read(client: &Client) -> anyhow::Result<Self> {
        let ids = async |sql: &str| -> anyhow::Result<Vec<String>> {
            Ok(client.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
        };
        let some = "ORDER BY id LIMIT 200";
        let largest = "SELECT helm_registry_id::text FROM helm_charts GROUP BY 1 \
                       ORDER BY count(*) DESC LIMIT 1";
        let largest = ids(largest).await?.pop().context("no chart")?;
        let shared = "SELECT kind_id::text FROM helm_registries GROUP BY 1 \
                      ORDER BY count(*) DESC LIMIT 1";
        let widest = format!("SELECT kind_id::text FROM helm_registries WHERE id = '{largest}'");
        Ok(Self {
            charts: ids(&format!("SELECT id::text FROM helm_charts {some}")).await?,
            registries: ids(&format!("SELECT id::text FROM helm_registries {some}")).await?,
            kinds: ids(&format!("SELECT id::text FROM k8s_deployment_kinds {some}")).await?,
            kind_names: ids(&format!("SELECT name FROM k8s_deployment_kinds {some}")).await?,
            shared: ids(shared).await?.pop().context("no registry")?,
            widest: ids(&widest).await?.pop().context("no kind")?,
            largest,
        })
    }
}

/// Lists the routes, each with the addresses that are requested.
fn routes(sample: &Sample) -> Vec<Route> {
    let routes =
        [registry_routes(sample), chart_routes(sample), other_routes(sample), page_routes(sample)];
    routes.into_iter().flatten().collect()
}

fn registry_routes(sample: &Sample) -> Vec<Route> {
    vec![
        ("API helm-registries, pages", pages("/api/v2/helm-registries?page=", 40)),
        ("API helm-registries?text=", of("/api/v2/helm-registries?text=api-{id}", &words())),
        ("API helm-registries?kind=", of("/api/v2/helm-registries?kind={id}", &sample.kind_names)),
        ("API helm-registries/<id>", of("/api/v2/helm-registries/{id}", &sample.registries)),
    ]
}

fn chart_routes(sample: &Sample) -> Vec<Route> {
    let largest = &sample.largest;
    vec![
        ("API helm-charts, first pages", pages("/api/v2/helm-charts?page=", 20)),
        ("API helm-charts, last page", one("/api/v2/helm-charts?page=4000")),
        (
            "API helm-charts?helm_registry_id=",
            of("/api/v2/helm-charts?helm_registry_id={id}", &sample.registries),
        ),
        (
            "API helm-charts, registry of a tenth, last page",
            one(&format!("/api/v2/helm-charts?helm_registry_id={largest}&page=400")),
        ),
        ("API helm-charts?kind=", of("/api/v2/helm-charts?kind={id}", &sample.kind_names)),
        (
            "API helm-charts?kind=&available=true",
            of("/api/v2/helm-charts?kind={id}&available=true", &sample.kind_names),
        ),
        ("API helm-charts?available=true", one("/api/v2/helm-charts?available=true")),
        ("API helm-charts?available=false", one("/api/v2/helm-charts?available=false")),
        ("API helm-charts?broken=true", one("/api/v2/helm-charts?broken=true")),
        (
            "API helm-charts?parsed_branch=",
            of("/api/v2/helm-charts?parsed_branch=branch-{id}", &words()),
        ),
        ("API helm-charts?text=, few match", of("/api/v2/helm-charts?text=main-1{id}0", &words())),
        ("API helm-charts?text=, many match", of("/api/v2/helm-charts?text={id}", &words())),
        ("API helm-charts/<id>", of("/api/v2/helm-charts/{id}", &sample.charts)),
    ]
}

fn other_routes(sample: &Sample) -> Vec<Route> {
    vec![
        ("API deployment-kinds, pages", pages("/api/v2/deployment-kinds?page=", 40)),
        ("API deployment-kinds?text=", of("/api/v2/deployment-kinds?text=d-{id}", &words())),
        ("API deployment-kinds/<id>", of("/api/v2/deployment-kinds/{id}", &sample.kinds)),
        ("API helm-tag-formats", one("/api/v2/helm-tag-formats")),
        ("API discovery-instances", one("/api/v2/discovery-instances")),
    ]
}

fn page_routes(sample: &Sample) -> Vec<Route> {
    let Sample { largest, shared, widest, .. } = sample;
    vec![
        ("page helm-registries", pages("/admin/helm-registries?page=", 40)),
        ("page helm-registries?text=", of("/admin/helm-registries?text=team-{id}", &words())),
        ("page helm-registries/<id>", of("/admin/helm-registries/{id}", &sample.registries)),
        (
            "page helm-registries/<id>, a tenth of all charts",
            pages(&format!("/admin/helm-registries/{largest}?page="), 20),
        ),
        (
            "page helm-registries/<id>?state=broken, a tenth",
            one(&format!("/admin/helm-registries/{largest}?state=broken")),
        ),
        ("page kinds", pages("/admin/kinds?page=", 40)),
        ("page kinds/<id>", of("/admin/kinds/{id}", &sample.kinds)),
        ("page kinds/<id>, most registries", pages(&format!("/admin/kinds/{shared}?page="), 20)),
        (
            "page kinds/<id>, a tenth of all charts",
            pages(&format!("/admin/kinds/{widest}?deleted=1&page="), 20),
        ),
        ("page tag-formats", one("/admin/tag-formats")),
        ("page instances", one("/admin/instances")),
    ]
}

fn pages(path: &str, pages: i64) -> Vec<String> {
    (1..=pages).map(|page| format!("{path}{page}")).collect()
}

fn of(path: &str, ids: &[String]) -> Vec<String> {
    ids.iter().map(|id| path.replace("{id}", id)).collect()
}

fn one(path: &str) -> Vec<String> {
    vec![path.to_owned()]
}

/// Returns texts to search for.
fn words() -> Vec<String> {
    (0..100).map(|n| n.to_string()).collect()
}
