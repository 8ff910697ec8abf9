//! `oci-poll`: polls a registry that speaks the OCI distribution specification.

mod handler;
mod instance;
mod pass;
mod selection;
mod summary;

use std::process::ExitCode;

use anyhow::Context as _;
use shared::config::OciPoll;
use shared::db::Database;
use shared::oci::Connections;

fn main() -> ExitCode {
    let usage = "Try it with: cargo lambda watch, then cargo lambda invoke oci-poll --data-file events/oci-poll.json";
    shared::lambda::run("oci-poll", usage, |environment| {
        let database = Database::new(OciPoll::read(environment)?.database)?;
        let tls = shared::tls::client_config(None).context("cannot set up TLS")?;
        let connections = Connections::new(tls)?;
        Ok(async move |payload, deadline| handler::handle(&database, &connections, payload, deadline).await)
    })
}
