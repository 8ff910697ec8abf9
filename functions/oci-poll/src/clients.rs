//! Builds the registry client of an instance. The process keeps the client, with its connections
//! and tokens, until the address, the TLS roots or the credentials change.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use shared::aws::{self, EcrLogin};
use shared::config::OciPoll;
use shared::domain::RegistryUrl;
use shared::oci::{Client, Connections, Login, RequestCounts};

use crate::instance::Instance;

/// The clients that this process has built, by the name of the instance.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<String, (ClientIdentity, Client)>>);

/// The settings of a client. A change of them requires another client.
#[derive(PartialEq, Eq)]
struct ClientIdentity {
    url: RegistryUrl,
    concurrency: usize,
    ca_file: Option<PathBuf>,
    credentials: Credentials,
}

/// The secret that `credentialsSecretArn` names.
#[derive(Default, PartialEq, Eq, Deserialize)]
struct Credentials {
    username: Option<String>,
    password: Option<String>,
    token: Option<String>,
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
    /// Returns the client of an instance. Reads the secret each time, so that a rotated secret is
    /// noticed.
    ///
    /// # Errors
    /// Fails if the secret or the TLS roots cannot be used.
    pub(crate) async fn client(
        &self,
        instance: &Instance,
        settings: &OciPoll,
    ) -> Result<Client, Unusable> {
        let credentials = match &instance.credentials {
            Some(arn) => read_credentials(arn).await.map_err(Unusable::Credentials)?,
            None => Credentials::default(),
        };
        let identity = ClientIdentity {
            url: instance.url.clone(),
            concurrency: instance.concurrency,
            ca_file: instance.ca_file.clone(),
            credentials,
        };
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = clients.get(&instance.name)
            && *known == identity
        {
            return Ok(client.clone());
        }
        let client = connect(&identity, settings).map_err(Unusable::Tls)?;
        clients.insert(instance.name.clone(), (identity, client.clone()));
        Ok(client)
    }

    /// Returns the numbers of requests to the registry of an instance since the last call.
    pub(crate) fn take_counts(&self, instance: &str) -> RequestCounts {
        let clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get(instance).map(|(_, client)| client.take_counts()).unwrap_or_default()
    }
}

async fn read_credentials(arn: &str) -> anyhow::Result<Credentials> {
    let fields = "username and password, or token";
    let credentials: Credentials = aws::read_secret(arn, fields).await?;
    match (&credentials.username, &credentials.password, &credentials.token) {
        (Some(_), Some(_), None) | (None, None, Some(_)) => Ok(credentials),
        _ => bail!("the secret {arn} must have username and password, or token"),
    }
}

fn connect(identity: &ClientIdentity, settings: &OciPoll) -> anyhow::Result<Client> {
    let ClientIdentity { url, concurrency, ca_file, credentials } = identity;
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
    Ok(connections.client(base.clone(), login, *concurrency)?)
}

/// Leaves out the credentials, so that no log can contain them.
impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity").field("url", &self.url).finish_non_exhaustive()
    }
}
