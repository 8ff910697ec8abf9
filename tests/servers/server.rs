//! The registries, and how each is started.

use std::process::Command;

use anyhow::Context as _;
use shared::domain::Digest;
use tests::push::Pusher;
use tests::registry::{Options, Registry, USER};
use tests::supervise::Supervised;
use tests::tools;

/// A registry program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Distribution2,
    Distribution3,
    Crane,
}

/// A running registry.
pub(crate) struct Running {
    server: Server,
    pub(crate) host: String,
    pub(crate) pusher: Pusher,
    _process: Process,
}

/// Holds the process, which ends when this is dropped.
#[expect(dead_code, reason = "dropping it ends the process")]
enum Process {
    Distribution(Registry),
    Crane(Supervised),
}

impl Server {
    pub(crate) const ALL: [Self; 3] = [Self::Distribution2, Self::Distribution3, Self::Crane];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Distribution2 => "Docker Distribution 2",
            Self::Distribution3 => "Docker Distribution 3",
            Self::Crane => "crane registry",
        }
    }

    /// Returns whether it can ask for a user name and a password.
    pub(crate) fn has_login(self) -> bool {
        self != Self::Crane
    }

    /// Returns its version, as the program itself or its build says.
    pub(crate) fn version(self) -> anyhow::Result<String> {
        match self {
            Self::Distribution2 => {
                let said = printed(Command::new(tools::docker_registry()?).arg("--version"))?;
                let version = said.split_whitespace().last().unwrap_or_default();
                Ok(version.split('+').next().unwrap_or_default().to_owned())
            }
            Self::Distribution3 => go_version("registry"),
            Self::Crane => go_version("crane"),
        }
    }

    /// Starts it, empty. With `login` it requires the credentials [`USER`].
    pub(crate) async fn start(self, login: bool) -> anyhow::Result<Running> {
        let options = Options { login, on_disk: false };
        let (host, process) = match self {
            Self::Distribution2 => distribution(Registry::start_with(options).await?),
            Self::Distribution3 => {
                let program = tools::go_program("registry")?;
                distribution(Registry::start_program(&program, options).await?)
            }
            Self::Crane => crane().await?,
        };
        let (user, password) = USER;
        let pusher =
            if login { Pusher::as_user(&host, user, password)? } else { Pusher::new(&host)? };
        Ok(Running { server: self, host, pusher, _process: process })
    }
}

impl Running {
    /// Deletes a tag, in the way that the registry knows. crane's registry keeps a tag whose
    /// manifest is deleted.
    pub(crate) async fn delete(
        &self,
        repository: &str,
        tag: &str,
        digest: &Digest,
    ) -> anyhow::Result<()> {
        match self.server {
            Server::Crane => self.pusher.delete_reference(repository, tag).await,
            _ => self.pusher.delete(repository, digest).await,
        }
    }
}

fn distribution(registry: Registry) -> (String, Process) {
    (registry.host().to_owned(), Process::Distribution(registry))
}

async fn crane() -> anyhow::Result<(String, Process)> {
    let folder = tempfile::Builder::new().prefix("chart-discovery-crane-").tempdir()?;
    let program = tools::go_program("crane")?;
    let words = ["registry", "serve", "--address", "127.0.0.1:0"].map(std::ffi::OsStr::new);
    let command = [&[program.as_os_str()][..], &words[..]].concat();
    let process = Supervised::start(folder, &command, None)?;
    let port = |line: &str| line.split_once("serving on port ").map(|(_, port)| port.to_owned());
    let port = process.log().wait_for(port).await.context("crane's registry did not start")?;
    Ok((format!("127.0.0.1:{port}"), Process::Crane(process)))
}

/// Reads the version of the module that a Go program was built from.
fn go_version(program: &str) -> anyhow::Result<String> {
    let path = tools::go_program(program)?;
    let said = printed(Command::new("go").args(["version", "-m"]).arg(path))?;
    let module = said.lines().find_map(|line| line.trim().strip_prefix("mod\t"));
    let version = module.and_then(|module| module.split('\t').nth(1));
    Ok(version.context("go names no version")?.to_owned())
}

fn printed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
