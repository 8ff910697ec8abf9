//! Starts the stack, pushes the samples, polls the registry, and prints the rows.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use shared::domain::RegistryUrl;
use tests::dynamodb::{CURSOR_TABLE, DynamoDb};
use tests::function::Function;
use tests::registry::Registry;
use tests::webhooks::Webhooks;
use tests::{helm, postgres, tools};

use super::database::Database;
use super::hints::Hints;
use super::options::Options;
use super::output::progress;
use super::poller::{INSTANCE, Poller};
use super::samples::push_samples;
use super::site::Site;
use super::stop::stop_signal;
use super::verdict::verdict;

/// Runs until Ctrl-C, or with `--once` until the first table is printed.
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
        let poller = Poller::new(&poll, &client, url);
        let first = poller.first_pass().await?;
        if options.once {
            return Ok(verdict(&first, &poller.url, &[]));
        }
        progress(&format!("polling {} every 5 s until Ctrl-C", poller.url));
        return poller.follow(first, None).await;
    }
    progress("starting a registry (Docker Distribution), which sends webhooks to oci-events");
    let webhooks = Webhooks::start(INSTANCE).await?;
    let registry = Registry::start_notifying(&webhooks.webhook()).await?;
    let endpoint = registry.url()?.to_string();
    let of_ecr = [&usual[..], &[("ECR_REGISTRY_ENDPOINT", &endpoint)]].concat();
    let ecr_events = Arc::new(Function::start("ecr-events", &of_ecr).await?);
    let _site = Site::start(&usual, [Arc::clone(&poll), Arc::clone(&ecr_events)]).await?;
    let expected = push_samples(&registry, &ecr_events).await?;
    let poller = Poller::new(&poll, &client, registry.url()?);
    let first = poller.first_pass().await?;
    if options.once {
        return Ok(verdict(&first, &poller.url, &expected));
    }
    // A process of its own, because Lambda runs hints and passes beside each other too.
    let hinted = Function::start("oci-poll", &[&usual, &dynamodb.settings()[..]].concat()).await?;
    let hints = Hints::follow(webhooks, hinted);
    suggest_push(&registry)?;
    poller.follow(first, Some(hints)).await
}

/// Prints how to push a chart to the local registry.
fn suggest_push(registry: &Registry) -> anyhow::Result<()> {
    progress(
        "following webhooks, and polling every 5 s, until Ctrl-C. From another terminal, try:",
    );
    eprintln!("      helm push mychart-0.1.0.tgz oci://{}/demo --plain-http", registry.host());
    let (python, script) = (tools::python()?, helm::script());
    eprintln!("    or, without a Helm of your own:");
    eprintln!(
        "      {} {} tests/charts/hello 0.3.0 oci://{}/demo",
        short(&python),
        short(&script),
        registry.host()
    );
    Ok(())
}

/// Shortens a path to one that is relative to the workspace.
fn short(path: &std::path::Path) -> String {
    path.strip_prefix(tools::workspace()).unwrap_or(path).display().to_string()
}
