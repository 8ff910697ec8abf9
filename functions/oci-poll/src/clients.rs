//! Builds the registry client of an instance, and what lists its repositories. The process keeps
//! both, with their connections and tokens, until the settings or the credentials change.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use shared::aws::{self, EcrLogin};
use shared::config::OciPoll;
use shared::domain::RegistryUrl;
use shared::metrics::Metric;
use shared::oci::{
    CatalogSettings, Client, Connections, ListingCredentials, Login, RepositoryCatalog,
    RequestCounts,
};

use crate::instance::Instance;

/// The clients that this process has built, by the name of the instance.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<String, (ClientIdentity, RepositoryCatalog)>>);

/// The settings of a client. A change of them requires another client.
#[derive(PartialEq, Eq)]
struct ClientIdentity {
    url: RegistryUrl,
    concurrency: usize,
    ca_file: Option<PathBuf>,
    catalog: CatalogSettings,
    credentials: Credentials,
}

/// The secret that `credentialsSecretArn` names.
#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
    /// The token for the vendor's list of repositories, if it is another than the one to pull.
    api_token: Option<String>,
}

/// The reason why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// The secret cannot be used.
    #[error("oci.credentialsSecretArn cannot be used")]
    Credentials(#[source] anyhow::Error),
    /// The TLS roots cannot be used.
    #[error(transparent)]
    Tls(anyhow::Error),
}

impl Clients {
    /// Returns the client of an instance.
    ///
    /// # Errors
    /// As [`Clients::catalog`].
    pub(crate) async fn client(
        &self,
        instance: &Instance,
        settings: &OciPoll,
    ) -> Result<Client, Unusable> {
        Ok(self.catalog(instance, settings).await?.client().clone())
    }

    /// Returns what lists the repositories of an instance, with the registry's client. Reads the
    /// secret each time, so that a rotated secret is noticed.
    ///
    /// # Errors
    /// Fails if the secret or the TLS roots cannot be used.
    pub(crate) async fn catalog(
        &self,
        instance: &Instance,
        settings: &OciPoll,
    ) -> Result<RepositoryCatalog, Unusable> {
        let credentials = match &instance.credentials {
            Some(arn) => read_credentials(arn).await.map_err(Unusable::Credentials)?,
            None => Credentials::default(),
        };
        let identity = ClientIdentity {
            url: instance.url.clone(),
            concurrency: instance.concurrency,
            ca_file: instance.ca_file.clone(),
            catalog: instance.catalog.clone(),
            credentials,
        };
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, catalog)) = clients.get(&instance.name)
            && *known == identity
        {
            return Ok(catalog.clone());
        }
        let catalog = connect(&identity, settings).map_err(Unusable::Tls)?;
        clients.insert(instance.name.clone(), (identity, catalog.clone()));
        Ok(catalog)
    }

    /// Adds the requests to the registry of an instance since the last call to the metrics.
    pub(crate) fn measure_requests(&self, instance: &str) {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = clients.get(instance).map(|(_, catalog)| catalog.take_counts());
        let RequestCounts { requests, throttled } = counts.unwrap_or_default();
        Metric::RegistryRequests.count(instance, requests);
        Metric::RegistryThrottled.count(instance, throttled);
    }
}

async fn read_credentials(arn: &str) -> anyhow::Result<Credentials> {
    let fields = "username and password, or token, and perhaps apiToken";
    let mut credentials: Credentials = aws::read_secret(arn, fields).await?;
    credentials.api_token = credentials.api_token.filter(|token| !token.is_empty());
    match (&credentials.username, &credentials.password, &credentials.token) {
        (Some(_), Some(_), None) | (None, None, Some(_)) => Ok(credentials),
        (None, None, None) if credentials.api_token.is_some() => Ok(credentials),
        _ => bail!(
            "the secret {arn} must have username and password, or token, or an apiToken with or \
             without those"
        ),
    }
}

fn connect(identity: &ClientIdentity, settings: &OciPoll) -> anyhow::Result<RepositoryCatalog> {
    let ClientIdentity { url, concurrency, ca_file, catalog, credentials } = identity;
    let tls = shared::tls::client_config(ca_file.as_deref()).context(match ca_file {
        Some(_) => "oci.caFile cannot be used",
        None => "cannot set up TLS",
    })?;
    let connections = Connections::new(tls, settings.allowed_addresses.clone());
    let given = match credentials {
        Credentials { username: Some(username), password: Some(password), .. } => {
            Some(Login::Password { username: username.clone(), password: password.clone() })
        }
        Credentials { token, .. } => token.clone().map(Login::Token),
    };
    let (base, login) = match (given, url.ecr()) {
        (None, Some((_, region))) => {
            let base = settings.registry_endpoint.as_ref().unwrap_or(url);
            (base, Login::Ecr(Arc::new(EcrLogin::new(region))))
        }
        (given, _) => (url, given.unwrap_or(Login::Anonymous)),
    };
    let client = connections.client(base.clone(), login, *concurrency)?;
    let listing = credentials.for_listing();
    Ok(RepositoryCatalog::new(client, connections, catalog.clone(), listing)?)
}

impl Credentials {
    /// Returns the credentials for the vendor's list. A bearer token for the registry is none,
    /// because no vendor's API takes it.
    fn for_listing(&self) -> ListingCredentials {
        ListingCredentials {
            username: self.username.clone(),
            password: self.password.clone(),
            token: self.api_token.clone(),
        }
    }
}

/// Leaves out the credentials, so that no log can contain them.
impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity").field("url", &self.url).finish_non_exhaustive()
    }
}
