//! `ecr-events`: handles ECR's push and delete events, which arrive through EventBridge and SQS.

mod arrival;
mod backfill;
mod batch;
mod clients;
mod context;
mod diagnose;
mod handler;
mod health;
mod look_up;
mod metrics;
mod payload;
mod rescan;
mod retry;

use std::process::ExitCode;

use anyhow::Context as _;
use shared::config::EcrEvents;
use shared::oci::Connections;

fn main() -> ExitCode {
    let usage = "Try it with: cargo lambda watch, then \
                 cargo lambda invoke ecr-events --data-file events/ecr-events-sqs-batch.json";
    shared::lambda::run("ecr-events", usage, |environment| {
        let settings = EcrEvents::read(environment)?;
        let tls = shared::tls::client_config(None).context("cannot set up TLS")?;
        let connections = Connections::new(tls, settings.allowed_addresses.clone());
        let context = context::Context::new(settings, connections)?;
        Ok(async move |payload, deadline| handler::handle(&context, payload, deadline).await)
    })
}
