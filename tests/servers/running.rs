//! Starts a registry, and changes it in the ways that its own users have.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde_json::json;
use shared::domain::Digest;
use tempfile::TempDir;
use tests::push::Pusher;
use tests::registry::{NEW_PASSWORD, Options, Registry, USER};
use tests::supervise::Supervised;
use tests::tools;

use crate::pulp::{self, Pulp};
use crate::server::Server;

/// What a registry asks of its callers. Pulp always asks for a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    Login,
    /// A login whose tokens expire after seconds.
    BriefLogin,
}

/// A running registry.
pub(crate) struct Running {
    pub(crate) host: String,
    pub(crate) pusher: Pusher,
    /// Whether the poller needs the credentials [`USER`].
    pub(crate) asks_for_login: bool,
    /// The file with the credentials of the one who pushes, as `docker login` writes it.
    clients: TempDir,
    program: Program,
}

/// The process, which ends when this is dropped.
enum Program {
    Distribution(Registry),
    Crane(#[expect(dead_code, reason = "dropping it ends the process")] Supervised),
    Ferro(#[expect(dead_code, reason = "dropping it ends the process")] Supervised),
    Pulp(Pulp),
}

impl Running {
    /// Starts an empty registry.
    pub(crate) async fn start(server: Server, access: Access) -> anyhow::Result<Self> {
        let asks_for_login = access != Access::Open || server == Server::Pulp;
        let options = Options { login: asks_for_login, on_disk: true };
        let (host, program) = match server {
            Server::Distribution2 => distribution(Registry::start_with(options).await?),
            Server::Distribution3 => {
                let program = tools::go_program("registry")?;
                distribution(Registry::start_program(&program, options).await?)
            }
            Server::Crane => crane().await?,
            Server::Ferro => ferro().await?,
            Server::Pulp => {
                let pulp = Pulp::start(access == Access::BriefLogin).await?;
                (pulp.host().to_owned(), Program::Pulp(pulp))
            }
        };
        let (user, password) = if server == Server::Pulp { pulp::ADMIN } else { USER };
        let pusher = match server {
            Server::Pulp => Pusher::with_tokens(&host, user, password)?,
            _ if asks_for_login => Pusher::as_user(&host, user, password)?,
            _ => Pusher::new(&host)?,
        };
        let clients = tempfile::Builder::new().prefix("chart-discovery-clients-").tempdir()?;
        let login = STANDARD.encode(format!("{user}:{password}"));
        let logins = if asks_for_login { json!({&host: {"auth": login}}) } else { json!({}) };
        std::fs::write(clients.path().join("config.json"), json!({"auths": logins}).to_string())?;
        Ok(Self { host, pusher, asks_for_login, clients, program })
    }

    /// Returns the file with the credentials that Helm and oras push with.
    pub(crate) fn clients(&self) -> PathBuf {
        self.clients.path().join("config.json")
    }

    /// Returns a folder for the files of a test.
    pub(crate) fn folder(&self) -> &Path {
        self.clients.path()
    }

    /// Deletes a tag, in the way that the registry knows. crane's registry keeps a tag whose
    /// manifest is deleted. Pulp deletes it some time after its answer.
    pub(crate) async fn delete(
        &self,
        repository: &str,
        tag: &str,
        digest: &Digest,
    ) -> anyhow::Result<()> {
        if let Program::Crane(_) = self.program {
            return self.pusher.delete_reference(repository, tag).await;
        }
        self.pusher.delete(repository, digest).await?;
        while self.pusher.head(repository, tag).await?.status() != StatusCode::NOT_FOUND {
            tokio::time::sleep(pulp::BETWEEN_LOOKS).await;
        }
        Ok(())
    }

    /// Removes a whole repository.
    pub(crate) async fn remove_repository(&self, name: &str) -> anyhow::Result<()> {
        match &self.program {
            Program::Distribution(registry) => Ok(registry.remove_repository(name)?),
            Program::Pulp(pulp) => {
                pulp.remove_repository(name).await?;
                pulp.wait_until_tokens_expire().await
            }
            Program::Crane(_) | Program::Ferro(_) => bail!("it cannot remove a repository"),
        }
    }

    /// Makes [`NEW_PASSWORD`] the password of [`USER`].
    pub(crate) async fn replace_password(&mut self) -> anyhow::Result<()> {
        match &self.program {
            Program::Distribution(registry) => {
                registry.replace_password()?;
                self.pusher = Pusher::as_user(&self.host, USER.0, NEW_PASSWORD)?;
                Ok(())
            }
            Program::Pulp(pulp) => {
                pulp.replace_password(NEW_PASSWORD).await?;
                pulp.wait_until_tokens_expire().await
            }
            Program::Crane(_) | Program::Ferro(_) => bail!("it has no logins"),
        }
    }

    /// Returns Pulp, which has tokens and rights.
    pub(crate) fn pulp(&self) -> anyhow::Result<&Pulp> {
        match &self.program {
            Program::Pulp(pulp) => Ok(pulp),
            _ => bail!("it is not Pulp"),
        }
    }
}

fn distribution(registry: Registry) -> (String, Program) {
    (registry.host().to_owned(), Program::Distribution(registry))
}

async fn crane() -> anyhow::Result<(String, Program)> {
    let folder = tempfile::Builder::new().prefix("chart-discovery-crane-").tempdir()?;
    let program = tools::go_program("crane")?;
    let words = ["registry", "serve", "--address", "127.0.0.1:0"].map(OsStr::new);
    let command = [&[program.as_os_str()][..], &words[..]].concat();
    let process = Supervised::start(folder, &command, None)?;
    let port = |line: &str| line.split_once("serving on port ").map(|(_, port)| port.to_owned());
    let port = process.log().wait_for(port).await.context("crane's registry did not start")?;
    Ok((format!("127.0.0.1:{port}"), Program::Crane(process)))
}

async fn ferro() -> anyhow::Result<(String, Program)> {
    let folder = tempfile::Builder::new().prefix("chart-discovery-ferro-").tempdir()?;
    let program = tools::ferro()?;
    let host = free_address()?;
    let listen = format!("FERRO_OCI_LISTEN={host}");
    let command = ["/usr/bin/env".as_ref(), listen.as_ref(), program.as_os_str()];
    let process = Supervised::start(folder, &command, None)?;
    let listening = |line: &str| line.contains("listening").then_some(());
    process.log().wait_for(listening).await.context("ferro-oci-server did not start")?;
    Ok((host, Program::Ferro(process)))
}

/// Returns an address that nothing listens on, for programs that do not choose one themselves.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
