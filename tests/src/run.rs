//! `stack run`: the whole way of a chart on one machine, from `helm push` to the row, and then
//! whatever is pushed next.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use shared::config::Environment;
use shared::domain::{Digest, RegistryUrl};
use shared::oci::{AllowedAddresses, Connections, Login};
use tests::admin::Admin;
use tests::dynamodb::{CURSOR_TABLE, DynamoDb};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::postgres::{self, Server};
use tests::push::Pusher;
use tests::registry::Registry;
use tests::{helm, tools};
use tokio::signal::unix::{SignalKind, signal};
use tokio_postgres::Client;

use crate::rows::Rows;

/// Time between two passes of `oci-poll`.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The account and region of the ECR registry that `ecr-events` is told about. Its content is in
/// the local registry.
const ECR_DOMAIN: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// The charts that the Helm client pushes: folder in `tests/charts`, version, namespace.
const SAMPLES: [(&str, &str, &str); 6] = [
    ("hello", "0.1.0", "demo"),
    ("hello", "0.2.0+build.7", "demo"),
    ("payments-api", "1.0.0", "my-org"),
    ("payments-api", "1.1.0", "other-org"),
    ("orders", "2.0.0", "shop"),
    ("orders", "2.1.0", "shop"),
];

/// The samples that `ecr-events` is told about, by their tag; the second one is deleted.
const ECR_REPOSITORY: &str = "shop/orders";
const ECR_KEPT: &str = "2.1.0";
const ECR_DELETED: &str = "2.0.0";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    once: bool,
    registry: Option<String>,
}

/// A row that must be in the table at the end of a right run.
struct Expected {
    registry: String,
    repository: String,
    tag: String,
    digest: Digest,
    state: &'static str,
}

impl Options {
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--once" => options.once = true,
                "--registry" => options.registry = Some((*words.next()?).to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Runs until Ctrl-C, or to the end of the first table.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    tokio::select! {
        outcome = discover(options) => outcome,
        stopped = stop_signal() => {
            stopped?;
            eprintln!("\nstopped");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Waits for Ctrl-C, or for being asked to end.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

fn progress(what: &str) {
    eprintln!("==> {what}");
}

#[expect(clippy::print_stdout, reason = "the table and its changes are this program's output")]
fn show(what: &str) {
    println!("{what}");
}

async fn discover(options: Options) -> anyhow::Result<ExitCode> {
    let foreign: Option<RegistryUrl> = match &options.registry {
        Some(url) => Some(url.parse().context("REGISTRY cannot be used")?),
        None => None,
    };
    let database = Database::start().await?;
    let dynamodb = DynamoDb::start().await?;
    progress(&format!("cursor table {CURSOR_TABLE} at {}", dynamodb.endpoint()));
    progress("starting the functions");
    let usual = [("DATABASE_URL", database.url.as_str()), ("ENABLE_TAG_PARSER", "true")];
    let poll =
        Arc::new(Function::start("oci-poll", &[&usual, &dynamodb.settings()[..]].concat()).await?);
    let client = postgres::connect(&database.url).await?;
    if let Some(url) = foreign {
        let _site = Site::start(&usual, [Arc::clone(&poll)]).await?;
        return follow(&options, &poll, &client, &url, &[], None).await;
    }
    progress("starting a registry (Docker Distribution)");
    let registry = Registry::start().await?;
    let endpoint = registry.url()?.to_string();
    let of_ecr = [&usual[..], &[("ECR_REGISTRY_ENDPOINT", &endpoint)]].concat();
    let ecr_events = Arc::new(Function::start("ecr-events", &of_ecr).await?);
    let _site = Site::start(&usual, [Arc::clone(&poll), Arc::clone(&ecr_events)]).await?;
    let expected = push_samples(&registry, &ecr_events).await?;
    follow(&options, &poll, &client, &registry.url()?, &expected, Some(&registry)).await
}

/// The admin pages, with the functions that they ask.
struct Site {
    _admin: Admin,
    _lambda: Endpoint,
}

impl Site {
    async fn start(
        settings: &[(&str, &str)],
        functions: impl IntoIterator<Item = Arc<Function>>,
    ) -> anyhow::Result<Self> {
        let lambda = Endpoint::lambda(functions).await?;
        let url = lambda.url();
        let admin =
            Admin::start(&[settings, &Endpoint::lambda_settings(&url)[..]].concat()).await?;
        progress(&format!("admin pages at {}/admin", admin.url()));
        Ok(Self { _admin: admin, _lambda: lambda })
    }
}

/// The database of the run: the user's own, or one that ends with the run.
struct Database {
    url: String,
    _server: Option<Server>,
}

impl Database {
    async fn start() -> anyhow::Result<Self> {
        let (url, server) = if let Some(url) = Environment::of_process().get("DATABASE_URL") {
            progress("using the database of DATABASE_URL");
            (url.to_owned(), None)
        } else {
            progress("starting Postgres");
            let server = Server::start().await?;
            (server.create_database("charts").await?, Some(server))
        };
        let migrate = Function::start("migrate", &[("DATABASE_URL", &url)]).await?;
        let migrated = migrate.invoke(&json!({})).await?;
        let current = migrated.get("current").and_then(Value::as_i64).unwrap_or_default();
        // The user's own address may hold a password.
        let shown = if server.is_some() { &url } else { "DATABASE_URL" };
        progress(&format!("database {shown} ready, schema version {current}"));
        Ok(Self { url, _server: server })
    }
}

/// Pushes the samples, and tells `ecr-events` of some of them as ECR would. Gives the rows that
/// must come of it.
async fn push_samples(registry: &Registry, ecr_events: &Function) -> anyhow::Result<Vec<Expected>> {
    let url = registry.url()?;
    let connections =
        Connections::new(shared::tls::client_config(None)?, AllowedAddresses::default());
    let oci = connections.client(url.clone(), Login::Anonymous, 1)?;
    let mut expected = Vec::new();
    for (chart, version, namespace) in SAMPLES {
        progress(&format!("helm push {chart}-{version}.tgz oci://{}/{namespace}", registry.host()));
        helm::push_sample(chart, version, registry.host(), namespace).await?;
        let (repository, tag) = (format!("{namespace}/{chart}"), version.replace('+', "_"));
        let reference = shared::domain::Reference::Tag(tag.parse()?);
        let digest = oci.get_manifest(&repository.parse()?, &reference).await?.digest;
        expected.push(Expected {
            registry: url.to_string(),
            repository,
            tag,
            digest,
            state: "available",
        });
    }

    for tag in [ECR_KEPT, ECR_DELETED] {
        let at = expected.iter().position(|row| row.repository == ECR_REPOSITORY && row.tag == tag);
        let at = at.context("no such sample")?;
        let digest = expected.get(at).context("no such sample")?.digest.clone();
        progress(&format!("ECR event: PUSH {ECR_REPOSITORY}:{tag}"));
        send(ecr_events, "PUSH", tag, &digest).await?;
        let mut row = Expected {
            registry: ECR_DOMAIN.to_owned(),
            repository: ECR_REPOSITORY.to_owned(),
            tag: tag.to_owned(),
            digest: digest.clone(),
            state: "available",
        };
        if tag == ECR_DELETED {
            progress(&format!("deleting {ECR_REPOSITORY}:{tag}, ECR event: DELETE"));
            Pusher::new(registry.host())?.delete(ECR_REPOSITORY, &digest).await?;
            send(ecr_events, "DELETE", tag, &digest).await?;
            row.state = "DELETED";
            // Gone before the first poll: no row of the polled registry has ever had it.
            expected.remove(at);
        }
        expected.push(row);
    }
    Ok(expected)
}

/// Sends one message as SQS would.
async fn send(
    ecr_events: &Function,
    action: &str,
    tag: &str,
    digest: &Digest,
) -> anyhow::Result<()> {
    let body = json!({
        "version": "0", "id": "00000000-0000-0000-0000-000000000000", "detail-type": "ECR Image \
            Action",
        "source": "aws.ecr", "account": "123456789012", "region": "us-east-1", "resources": [],
        "time": time::OffsetDateTime::now_utc()
            .format(&time::format_description::well_known::Rfc3339)?,
        "detail": {
            "result": "SUCCESS", "action-type": action, "repository-name": ECR_REPOSITORY,
            "image-digest": digest.as_str(), "image-tag": tag,
        },
    });
    let batch = json!({"Records": [{"messageId": "1", "body": body.to_string()}]});
    let answer = ecr_events.invoke(&batch).await?;
    if answer != json!({"batchItemFailures": []}) {
        bail!("ecr-events did not handle the {action} of {tag}: {answer}");
    }
    Ok(())
}

/// Polls, shows the table, and then every change.
async fn follow(
    options: &Options,
    poll: &Function,
    client: &Client,
    url: &RegistryUrl,
    expected: &[Expected],
    registry: Option<&Registry>,
) -> anyhow::Result<ExitCode> {
    // So rarely that an invocation is one pass: what it finds is shown at once, and what goes wrong
    // as well.
    let instance = json!({
        "name": "local", "provider": "oci",
        "oci": {"registryUrl": url.to_string(), "pollInterval": "59s 900ms"},
    });
    progress(&format!("oci-poll {url}"));
    let summary = poll.invoke(&instance).await?;
    let mut rows = Rows::load(client).await?;
    show(&rows.table());
    let number = |field: &str| summary.get(field).and_then(Value::as_u64).unwrap_or_default();
    let counts = format!(
        "{} repositories, {} tags, {} charts added",
        number("repositories"),
        number("tags"),
        number("added")
    );
    progress(&format!("{} chart rows; the pass saw {counts}", rows.len()));
    let mut faults = faults_in(&summary);
    for fault in &faults {
        eprintln!("oci-poll: {fault}");
    }
    if options.once {
        return Ok(verdict(&summary, &rows, url, expected));
    }

    if let Some(registry) = registry {
        progress("polling every 5 s until Ctrl-C. From another terminal, try:");
        eprintln!("      helm push mychart-0.1.0.tgz oci://{}/demo --plain-http", registry.host());
        let (python, script) = (tools::python()?, helm::script());
        eprintln!("    or, without a Helm of your own:");
        eprintln!(
            "      {} {} tests/charts/hello 0.3.0 oci://{}/demo",
            short(&python),
            short(&script),
            registry.host()
        );
    } else {
        progress(&format!("polling {url} every 5 s until Ctrl-C"));
    }
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let before = faults;
        faults = match poll.invoke(&instance).await {
            Ok(summary) => faults_in(&summary),
            Err(error) => vec![format!("{error:#}")],
        };
        // A fault that lasts is said once.
        for fault in faults.iter().filter(|fault| !before.contains(fault)) {
            eprintln!("oci-poll: {fault}");
        }
        let now = Rows::load(client).await?;
        now.changes_since(&rows).iter().for_each(|change| show(change));
        rows = now;
    }
}

/// What went wrong in a pass.
fn faults_in(summary: &Value) -> Vec<String> {
    let errors = summary.get("errors").and_then(Value::as_array);
    errors.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the first table has what was pushed, and of the registry that is polled no row more.
fn verdict(summary: &Value, rows: &Rows, url: &RegistryUrl, expected: &[Expected]) -> ExitCode {
    let mut wrong = Vec::new();
    if summary.get("complete") != Some(&Value::Bool(true)) {
        wrong.push(format!("the pass is not complete: {summary}"));
    }
    for Expected { registry, repository, tag, digest, state } in expected {
        let found = rows.state(registry, repository, tag, digest.as_str());
        if found != Some(*state) {
            wrong.push(format!(
                "{registry} {repository}:{tag} is {} and should be {state}",
                found.unwrap_or("missing")
            ));
        }
    }
    let polled = url.to_string();
    let (found, pushed) =
        (rows.of(&polled), expected.iter().filter(|row| row.registry == polled).count());
    if !expected.is_empty() && found != pushed {
        wrong.push(format!("{polled} has {found} rows and should have {pushed}"));
    }
    for wrong in &wrong {
        eprintln!("wrong: {wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A path from where the user stands.
fn short(path: &std::path::Path) -> String {
    path.strip_prefix(tools::workspace()).unwrap_or(path).display().to_string()
}
