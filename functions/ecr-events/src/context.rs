//! The settings and the clients that every invocation shares.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use shared::config::EcrEvents;
use shared::db::{self, Database, Writer};
use shared::domain::{Account, Region, Registry};
use shared::oci::Connections;
use shared::reconcile::{Deletions, Hint, KnownFormats, ReconcileOptions, Report, reconcile};
use tokio::time::Instant;

use crate::clients::{CONCURRENCY, RegistryClients};
use crate::metrics::measure_report;
use crate::retry::retry;

/// Holds what every invocation shares.
pub(crate) struct Context {
    pub(crate) settings: EcrEvents,
    pub(crate) database: Database,
    pub(crate) clients: RegistryClients,
    /// Holds the tag formats if `ENABLE_TAG_PARSER` is set.
    formats: Option<KnownFormats>,
    /// Holds the time of the last recorded event of each region.
    pub(crate) noted: Mutex<HashMap<Region, Instant>>,
}

impl Context {
    /// Builds the clients. It opens no connection.
    ///
    /// # Errors
    /// Fails if the database settings cannot be used.
    pub(crate) fn new(settings: EcrEvents, connections: Connections) -> anyhow::Result<Self> {
        let database = Database::new(settings.database.clone())?;
        let formats = settings.parse_tags.then(KnownFormats::default);
        let clients = RegistryClients::new(connections, settings.registry_endpoint.clone());
        Ok(Self { settings, database, clients, formats, noted: Mutex::default() })
    }

    /// Returns the name of the region's row in `discovery_instances`.
    pub(crate) fn instance_name(&self, region: &Region) -> String {
        self.settings.instance.clone().unwrap_or_else(|| format!("ecr-{region}"))
    }

    /// Returns the name of the instance in the metrics.
    pub(crate) fn measured_name(&self) -> &str {
        self.settings.instance.as_deref().unwrap_or("ecr")
    }

    /// Returns whether `ECR_ACCOUNTS` accepts the account.
    pub(crate) fn accepts(&self, account: Option<&Account>) -> bool {
        let accepted = &self.settings.accounts;
        accepted.is_empty() || account.is_some_and(|account| accepted.contains(account))
    }

    /// Looks at what the hints name and writes the changes. It believes a deletion as soon as the
    /// registry confirms it, and retries while the database is away.
    ///
    /// # Errors
    /// Fails if the database stays away until the deadline, or refuses a statement for good.
    pub(crate) async fn reconcile(
        &self,
        hints: Vec<Hint>,
        deadline: Instant,
    ) -> Result<Report, db::Error> {
        let client_for = |registry: &Registry| self.clients.get(registry, deadline);
        let writer = Writer { instance: None, kind_naming: self.settings.kind_naming };
        let (deletions, formats) = (Deletions::Believed, self.formats.as_ref());
        let options =
            ReconcileOptions { writer, concurrency: CONCURRENCY, deadline, deletions, formats };
        let attempt =
            || reconcile(&self.database, client_for, hints.clone(), options).boxed_local();
        let outcome = retry(deadline, attempt).await;
        if let Ok(report) = &outcome {
            measure_report(self.measured_name(), report);
        }
        outcome
    }
}
