//! The registries, and what each of them has.

use std::process::Command;

use anyhow::Context as _;
use tests::tools;

use crate::question::Need;

/// A registry program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Distribution2,
    Distribution3,
    Crane,
    Ferro,
    Pulp,
}

impl Server {
    pub(crate) const ALL: [Self; 5] =
        [Self::Distribution2, Self::Distribution3, Self::Crane, Self::Ferro, Self::Pulp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Distribution2 => "Docker Distribution 2",
            Self::Distribution3 => "Docker Distribution 3",
            Self::Crane => "crane registry",
            Self::Ferro => "ferro-oci-server",
            Self::Pulp => "Pulp",
        }
    }

    /// Returns its version, as the program itself or its package says.
    ///
    /// # Errors
    /// Fails if it is not installed.
    pub(crate) fn version(self) -> anyhow::Result<String> {
        match self {
            Self::Distribution2 => {
                let said = printed(Command::new(tools::docker_registry()?).arg("--version"))?;
                let version = said.split_whitespace().last().unwrap_or_default();
                Ok(version.split('+').next().unwrap_or_default().to_owned())
            }
            Self::Distribution3 => go_version("registry"),
            Self::Crane => go_version("crane"),
            Self::Ferro => ferro_version(),
            Self::Pulp => {
                let python = tools::pulp()?.join("bin/python");
                let version = "import importlib.metadata as m; print(m.version('pulp-container'))";
                Ok(printed(Command::new(python).args(["-c", version]))?.trim().to_owned())
            }
        }
    }

    /// Returns whether Go builds it.
    pub(crate) fn needs_go(self) -> bool {
        matches!(self, Self::Distribution3 | Self::Crane)
    }

    /// Returns whether a push takes longer than a tenth of a second.
    pub(crate) fn is_slow(self) -> bool {
        self == Self::Pulp
    }

    /// Returns why a question does not concern this registry, or `None` if it does.
    pub(crate) fn lacks(self, need: Need) -> Option<&'static str> {
        match (self, need) {
            (Self::Crane | Self::Ferro, Need::Removal) => Some("it cannot remove a repository"),
            (Self::Crane | Self::Ferro, Need::Logins | Need::Tokens | Need::Rights) => {
                Some("it has no logins")
            }
            (Self::Distribution2 | Self::Distribution3, Need::Tokens) => {
                Some("it issues no tokens")
            }
            (Self::Distribution2 | Self::Distribution3, Need::Rights) => {
                Some("its users may read everything")
            }
            _ => None,
        }
    }
}

/// Reads the version of the module that a Go program was built from.
fn go_version(program: &str) -> anyhow::Result<String> {
    let path = tools::go_program(program)?;
    let said = printed(Command::new("go").args(["version", "-m"]).arg(path))?;
    let module = said.lines().find_map(|line| line.trim().strip_prefix("mod\t"));
    let version = module.and_then(|module| module.split('\t').nth(1));
    Ok(version.context("go names no version")?.to_owned())
}

/// Reads the version from cargo's list of what it installed.
fn ferro_version() -> anyhow::Result<String> {
    let program = tools::ferro()?;
    let root = program.ancestors().nth(2).context("it is in no folder")?;
    let list = printed(Command::new("cargo").args(["install", "--list", "--root"]).arg(root))?;
    let version = list.lines().find_map(|line| line.strip_prefix("ferro-oci-server v"));
    Ok(version.context("cargo names no version")?.trim_end_matches(':').to_owned())
}

fn printed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
