//! The clients of the registries. Each client is kept, so that later invocations reuse its
//! connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shared::aws::EcrLogin;
use shared::domain::{Region, Registry, RegistryUrl};
use shared::metrics::Metric;
use shared::oci::{self, Client, Connections, Login};
use tokio::time::Instant;

/// Limits the concurrent requests to registries.
pub(crate) const CONCURRENCY: usize = 16;

/// Holds one client per registry.
pub(crate) struct RegistryClients {
    connections: Connections,
    /// Replaces the address of every registry, if set.
    endpoint: Option<RegistryUrl>,
    clients: Mutex<HashMap<Registry, Client>>,
    /// Holds one login per region, because its token is valid for the registries of all accounts.
    logins: Mutex<HashMap<Region, Arc<EcrLogin>>>,
}

impl RegistryClients {
    pub(crate) fn new(connections: Connections, endpoint: Option<RegistryUrl>) -> Self {
        let (clients, logins) = (Mutex::default(), Mutex::default());
        Self { connections, endpoint, clients, logins }
    }

    /// Returns the registry's client, with a deadline for its requests.
    ///
    /// # Errors
    /// Fails if no client can be built for the registry's address.
    pub(crate) fn get(&self, registry: &Registry, deadline: Instant) -> Result<Client, oci::Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(registry) {
            return Ok(client.until(deadline));
        }
        let base = self.endpoint.as_ref().unwrap_or(registry.domain_name().address());
        let login = match registry.domain_name().address().ecr() {
            Some((_, region)) => {
                let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
                let login =
                    logins.entry(region.clone()).or_insert_with(|| Arc::new(EcrLogin::new(region)));
                Login::Ecr(Arc::clone(login))
            }
            None => Login::Anonymous,
        };
        let client = self.connections.client(base.clone(), login, CONCURRENCY)?;
        clients.insert(registry.clone(), client.clone());
        Ok(client.until(deadline))
    }

    /// Adds the requests since the last call to the metrics.
    pub(crate) fn measure_requests(&self, instance: &str) {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for counts in clients.values().map(Client::take_counts) {
            Metric::RegistryRequests.count(instance, counts.requests);
            Metric::RegistryThrottled.count(instance, counts.throttled);
        }
    }
}
