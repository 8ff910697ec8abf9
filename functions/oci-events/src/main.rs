//! `oci-events`: takes the webhooks of registries, checks their proof, and sends hints to a queue.

mod address;
mod cached;
mod context;
mod handler;
mod hint;
mod mention;
mod proof;
mod queue;
mod reading;
mod senders;

use std::process::ExitCode;

use context::WebhookContext;
use shared::config::{Environment, OciEvents};
use shared::function_url::{self, ServedAt};
use shared::metrics;

fn main() -> ExitCode {
    shared::lambda::start(
        "oci-events",
        &Environment::of_process(),
        |environment| {
            let namespace = environment.metrics_namespace()?.to_owned();
            Ok((OciEvents::read(environment)?, namespace))
        },
        async |(settings, namespace)| serve(settings, namespace).await,
    )
}

/// Serves until Lambda ends the process. Outside Lambda it never returns.
///
/// # Errors
/// Fails if the address is taken, or the Lambda Runtime API fails.
async fn serve(settings: OciEvents, namespace: String) -> anyhow::Result<()> {
    let place = settings.address.map_or(ServedAt::Lambda, |address| ServedAt::Local {
        address,
        variable: "OCI_EVENTS_ADDR",
        path: "",
    });
    // Elsewhere nothing collects what the function prints.
    let collector = match place {
        ServedAt::Lambda => Some(metrics::start(namespace)?),
        ServedAt::Local { .. } => None,
    };
    let context = WebhookContext::new(settings).await?;
    function_url::serve(handler::router(context, collector), place).await
}
