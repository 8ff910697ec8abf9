//! Runs Docker Distribution.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use shared::domain::RegistryUrl;
use tokio::net::TcpStream;

use crate::supervise::Supervised;
use crate::tools;

/// The user name and password that a registry with credentials accepts.
pub const USER: (&str, &str) = ("puller", "letmein");

/// The bcrypt hash of that password.
const USER_HASH: &str = "$2b$04$C3jEfT/jrJBhEeZ3rvwad.FsJ93j3pz7/Y7hpR22foh.lKW5ZnsA2";

/// The password that [`Registry::replace_password`] sets.
pub const NEW_PASSWORD: &str = "letmeinagain";

/// The bcrypt hash of the new password.
const NEW_PASSWORD_HASH: &str = "$2b$04$qo1vUCLpkYp2gXtMqIn2de2UQONvN6zz9Hz/1Tl7mA1MEDllIZwtm";

/// The options of a registry.
#[derive(Debug, Default, Clone, Copy)]
pub struct Options {
    /// Requires the credentials [`USER`].
    pub login: bool,
    /// Keeps the content on disk, where a test can copy it, instead of in memory.
    pub on_disk: bool,
}

/// The webhook that a registry sends its notifications to.
#[derive(Debug, Clone, Copy)]
pub struct Webhook<'a> {
    /// The address.
    pub url: &'a str,
    /// The header `Authorization`.
    pub authorization: &'a str,
}

/// A running registry. Dropping it ends the process.
#[derive(Debug)]
pub struct Registry {
    process: Supervised,
    host: String,
    folder: PathBuf,
}

impl Registry {
    /// Starts an empty registry that keeps its content in memory.
    ///
    /// # Errors
    /// Fails if Docker Distribution is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts an empty registry.
    ///
    /// # Errors
    /// Fails if Docker Distribution is not installed or does not start.
    pub async fn start_with(options: Options) -> anyhow::Result<Self> {
        Self::start_program(&tools::docker_registry()?, options).await
    }

    /// Starts an empty registry with this program: Docker Distribution 2 or 3.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub async fn start_program(program: &Path, options: Options) -> anyhow::Result<Self> {
        Self::run(program, options, None).await
    }

    /// Starts an empty registry that sends its notifications to a webhook.
    ///
    /// # Errors
    /// Fails if Docker Distribution is not installed or does not start.
    pub async fn start_notifying(webhook: &Webhook<'_>) -> anyhow::Result<Self> {
        Self::run(&tools::docker_registry()?, Options::default(), Some(webhook)).await
    }

    async fn run(
        program: &Path,
        options: Options,
        webhook: Option<&Webhook<'_>>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("chart-discovery-registry-").tempdir()?;
        let path = folder.path().to_owned();
        let configuration = path.join("config.yml");
        let notifications = webhook.map(Webhook::notifications).unwrap_or_default();
        let text = configuration_of(options, &path)? + &notifications;
        std::fs::write(&configuration, text)?;
        // Version 3 sends traces to a collector by default.
        let command = ["/usr/bin/env", "OTEL_TRACES_EXPORTER=none"].map(OsStr::new);
        let serve = [program.as_os_str(), "serve".as_ref(), configuration.as_os_str()];
        let command = [&command[..], &serve[..]].concat();
        let process = Supervised::start(folder, &command, None)?;
        let host = process
            .log()
            .wait_for(listening_on)
            .await
            .context("Docker Distribution did not start")?;
        TcpStream::connect(&host).await.context("Docker Distribution does not listen")?;
        Ok(Self { process, host, folder: path })
    }

    /// Returns host and port, which a chart's `oci://` address begins with.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the registry's address.
    ///
    /// # Errors
    /// Never fails in practice, because the registry listens on this host.
    pub fn url(&self) -> anyhow::Result<RegistryUrl> {
        format!("http://{}", self.host).parse().map_err(|error| anyhow!("{error}"))
    }

    /// Returns the requests served so far, each as `METHOD path`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let requests = |line: &String| {
            let (_, request) = line.split_once("] \"")?;
            Some(request.split_once(" HTTP/")?.0.to_owned())
        };
        self.process.log().lines().iter().filter_map(requests).collect()
    }

    /// Makes [`NEW_PASSWORD`] the password of [`USER`]. The registry must require credentials.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn replace_password(&self) -> std::io::Result<()> {
        write_password(&self.folder, NEW_PASSWORD_HASH)
    }

    /// Removes a repository from the storage, because the registry has no request for that. It
    /// must keep its content on disk.
    ///
    /// # Errors
    /// Fails if the files cannot be removed.
    pub fn remove_repository(&self, name: &str) -> std::io::Result<()> {
        std::fs::remove_dir_all(self.repositories().join(name))
    }

    /// Copies a repository with all its tags. The registry must keep its content on disk.
    ///
    /// # Errors
    /// Fails if the files cannot be written.
    pub fn copy_repository(
        &self,
        from: &str,
        to: impl Iterator<Item = String>,
    ) -> anyhow::Result<()> {
        let repositories = self.repositories();
        for to in to {
            copy(&repositories.join(from), &repositories.join(to))?;
        }
        Ok(())
    }

    /// Adds tags to a manifest. The registry must keep its content on disk.
    ///
    /// # Errors
    /// Fails if the files cannot be written.
    pub fn copy_tag(
        &self,
        repository: &str,
        from: &str,
        to: impl Iterator<Item = String>,
    ) -> anyhow::Result<()> {
        let tags = self.repositories().join(repository).join("_manifests/tags");
        let link = std::fs::read(tags.join(from).join("current/link"))?;
        for to in to {
            let current = tags.join(to).join("current");
            std::fs::create_dir_all(&current)?;
            std::fs::write(current.join("link"), &link)?;
        }
        Ok(())
    }

    fn repositories(&self) -> PathBuf {
        self.folder.join("docker/registry/v2/repositories")
    }
}

impl Webhook<'_> {
    /// Returns the part of the configuration for this webhook.
    fn notifications(&self) -> String {
        let Self { url, authorization } = self;
        format!(
            "notifications: {{endpoints: [{{name: webhook, url: '{url}', timeout: 5s, threshold: \
             3, backoff: 1s, headers: {{Authorization: ['{authorization}']}}}}]}}\n"
        )
    }
}

fn configuration_of(options: Options, folder: &Path) -> anyhow::Result<String> {
    let shown =
        folder.to_str().context("the name of the folder for temporary files is not valid text")?;
    let storage = if options.on_disk {
        format!("filesystem: {{rootdirectory: '{shown}'}}")
    } else {
        "inmemory: {}".to_owned()
    };
    let login = if options.login {
        write_password(folder, USER_HASH)?;
        format!("auth: {{htpasswd: {{realm: test, path: '{shown}/htpasswd'}}}}\n")
    } else {
        String::new()
    };
    Ok(format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: false}}}}\nhttp: {{addr: \
         '127.0.0.1:0'}}\n\
         storage: {{{storage}, delete: {{enabled: true}}}}\n{login}"
    ))
}

fn write_password(folder: &Path, hash: &str) -> std::io::Result<()> {
    std::fs::write(folder.join("htpasswd"), format!("{}:{hash}\n", USER.0))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Reads the address from the line that Docker Distribution prints when it is ready.
fn listening_on(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c)))
        .unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}
