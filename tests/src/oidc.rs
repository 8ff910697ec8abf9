//! Runs `oidc-provider-mock`, an OpenID Connect provider that asks for no passwords.

use std::ffi::{OsStr, OsString};

use anyhow::Context as _;
use serde_json::Value;

use crate::supervise::Supervised;
use crate::tools;

/// A running provider. Dropping it ends the process.
#[derive(Debug)]
pub struct Provider {
    _process: Supervised,
    issuer: String,
}

impl Provider {
    /// Starts a provider with these users. Each one is given by its claims, including `sub`.
    ///
    /// # Errors
    /// Fails if the provider is not installed or does not start.
    pub async fn start(users: &[Value]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("chart-discovery-oidc-").tempdir()?;
        let python = tools::python()?;
        let users: Vec<OsString> = users.iter().map(|user| user.to_string().into()).collect();
        let mut command: Vec<&OsStr> = vec![python.as_os_str()];
        command.extend(["-m", "oidc_provider_mock", "--port", "0"].map(OsStr::new));
        for user in &users {
            command.extend([OsStr::new("--user-claims"), user.as_os_str()]);
        }
        let process = Supervised::start(folder, &command, None)?;
        let running_on =
            |line: &str| Some(line.split_once("running on ")?.1.split_once(' ')?.0.to_owned());
        let issuer = process
            .log()
            .wait_for(running_on)
            .await
            .context("the OpenID Connect provider did not start")?;
        Ok(Self { _process: process, issuer })
    }

    /// Returns the issuer, which is the provider's address.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}
