//! Polls a registry with `oci-poll`, and prints the rows that change.

use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use shared::domain::RegistryUrl;
use tests::function::Function;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::Client;

use super::hints::Hints;
use super::output::{progress, show};
use crate::rows::Rows;

/// The name of the instance.
pub(super) const INSTANCE: &str = "local";

/// The time between two passes.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The function that polls a registry, and the database that it writes to.
pub(super) struct Poller<'a> {
    poll: &'a Function,
    client: &'a Client,
    /// The registry's address.
    pub(super) url: RegistryUrl,
    instance: Value,
}

/// The result of a pass.
pub(super) struct Pass {
    pub(super) summary: Value,
    pub(super) rows: Rows,
    faults: Vec<String>,
}

impl<'a> Poller<'a> {
    pub(super) fn new(poll: &'a Function, client: &'a Client, url: RegistryUrl) -> Self {
        // The interval is so long that each invocation is one pass. So its changes and faults are
        // printed immediately.
        let instance = json!({
            "name": INSTANCE, "provider": "oci",
            "oci": {"registryUrl": url.to_string(), "pollInterval": "59s 900ms"},
        });
        Self { poll, client, url, instance }
    }

    /// Polls once, and prints the table of all rows.
    pub(super) async fn first_pass(&self) -> anyhow::Result<Pass> {
        progress(&format!("oci-poll {}", self.url));
        let summary = self.poll.invoke(&self.instance).await?;
        let rows = Rows::load(self.client).await?;
        show(&rows.table());
        let number = |field: &str| summary.get(field).and_then(Value::as_u64).unwrap_or_default();
        let counts = format!(
            "{} repositories, {} tags, {} charts added",
            number("repositories"),
            number("tags"),
            number("added")
        );
        progress(&format!("{} chart rows; the pass saw {counts}", rows.len()));
        let faults = faults_in(&summary);
        for fault in &faults {
            eprintln!("oci-poll: {fault}");
        }
        Ok(Pass { summary, rows, faults })
    }

    /// Polls repeatedly, and prints every row that changes, by a pass or by a hint.
    pub(super) async fn follow(
        &self,
        first: Pass,
        mut hints: Option<Hints>,
    ) -> anyhow::Result<ExitCode> {
        let Pass { mut rows, mut faults, .. } = first;
        let mut next_pass = Instant::now() + POLL_INTERVAL;
        loop {
            let hinted = async {
                match &mut hints {
                    Some(hints) => hints.next().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                fault = hinted => {
                    if let Some(fault) = fault {
                        eprintln!("oci-poll: {fault}");
                    }
                }
                () = sleep_until(next_pass) => {
                    let before = faults;
                    faults = match self.poll.invoke(&self.instance).await {
                        Ok(summary) => faults_in(&summary),
                        Err(error) => vec![format!("{error:#}")],
                    };
                    // A fault that lasts is printed once.
                    for fault in faults.iter().filter(|fault| !before.contains(fault)) {
                        eprintln!("oci-poll: {fault}");
                    }
                    next_pass = Instant::now() + POLL_INTERVAL;
                }
            }
            let now = Rows::load(self.client).await?;
            now.changes_since(&rows).iter().for_each(|change| show(change));
            rows = now;
        }
    }
}

/// Returns the faults that a summary reports.
fn faults_in(summary: &Value) -> Vec<String> {
    let errors = summary.get("errors").and_then(Value::as_array);
    errors.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
