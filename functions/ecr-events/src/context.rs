//! The settings and the clients that every invocation shares.

use std::collections::HashMap;
use std::sync::Mutex;

use shared::config::EcrEvents;
use shared::db::Database;
use shared::domain::{Account, Region};
use shared::oci::Connections;
use shared::reconcile::KnownFormats;
use tokio::time::Instant;

use crate::arrival::RegionArrival;
use crate::clients::RegistryClients;

/// Holds what every invocation shares.
pub(crate) struct Context {
    pub(crate) settings: EcrEvents,
    pub(crate) database: Database,
    pub(crate) clients: RegistryClients,
    /// Holds the tag formats if `ENABLE_TAG_PARSER` is set.
    pub(crate) formats: Option<KnownFormats>,
    /// Holds the time of the last recorded event of each region, late events apart.
    pub(crate) noted: Mutex<HashMap<RegionArrival, Instant>>,
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
}
