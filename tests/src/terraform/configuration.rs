//! Applies whole configurations of `infra` with a provider that stands in for AWS's. What it makes
//! are lines of a file.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::command::output;
use crate::tools;

/// The functions whose packages a configuration uploads.
const FUNCTIONS: [&str; 6] =
    ["admin", "ecr-events", "migrate", "oci-events", "oci-poll", "tag-parser"];

/// A plan, as `terraform show -json` prints it.
#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    resource_changes: Vec<PlannedChange>,
}

#[derive(Deserialize)]
struct PlannedChange {
    address: String,
    change: PlannedActions,
}

#[derive(Deserialize)]
struct PlannedActions {
    actions: Vec<String>,
}

/// One change of the account.
#[derive(Debug, Deserialize)]
pub struct AccountChange {
    /// `create`, `update` or `delete`.
    pub operation: String,
    /// The type of the resource.
    #[serde(rename = "type")]
    pub kind: String,
    /// Type, account, region and name; absent without a name.
    pub identity: Option<String>,
    /// The arguments that were sent to AWS.
    pub value: Value,
}

/// A copy of `infra` with an AWS account of its own. The copy may be changed.
#[derive(Debug)]
pub struct Configuration {
    scratch: TempDir,
    folder: PathBuf,
    variables: Value,
}

impl Configuration {
    /// Copies `infra`. The configuration is the folder with this name in it.
    ///
    /// # Errors
    /// Fails if a file cannot be copied, or if `tests/install tests` has not run.
    pub fn copy(folder: &str, variables: Value) -> anyhow::Result<Self> {
        let scratch = TempDir::new()?;
        let infra = scratch.path().join("infra");
        copy_folder(&tools::workspace().join("infra"), &infra)?;
        for function in FUNCTIONS {
            let package = scratch.path().join("target/lambda").join(function);
            std::fs::create_dir_all(&package)?;
            std::fs::write(package.join("bootstrap.zip"), function)?;
        }
        let copy = Self { folder: infra.join(folder), scratch, variables };
        copy.install_provider(&infra)?;
        Ok(copy)
    }

    /// Copies `infra` and adds a configuration of one file to its examples.
    ///
    /// # Errors
    /// Fails as [`Configuration::copy`] does.
    pub fn of(text: &str) -> anyhow::Result<Self> {
        let copy = Self::copy("examples/this", Value::Object(serde_json::Map::new()))?;
        std::fs::create_dir_all(&copy.folder)?;
        copy.add_file("main.tf", text)?;
        copy.install_provider(&copy.scratch.path().join("infra"))?;
        Ok(copy)
    }

    /// Adds a file beside the configuration.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn add_file(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.folder.join(name), text)?)
    }

    /// Replaces a text in a file of the configuration.
    ///
    /// # Errors
    /// Fails unless the text occurs exactly once.
    pub fn replace(&self, file: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let path = self.folder.join(file);
        let text = std::fs::read_to_string(&path)?;
        ensure!(text.matches(from).count() == 1, "{file} has not exactly one {from}");
        std::fs::write(path, text.replace(from, to))?;
        Ok(())
    }

    /// Removes the packages of the functions.
    ///
    /// # Errors
    /// Fails if there are none.
    pub fn remove_packages(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_dir_all(self.scratch.path().join("target"))?)
    }

    /// Initialises the configuration and validates it.
    ///
    /// # Errors
    /// Fails with Terraform's message.
    pub async fn validate(&self) -> anyhow::Result<()> {
        self.terraform(&["init", "-input=false", "-no-color"]).await?;
        self.terraform(&["validate", "-no-color"]).await.map(drop)
    }

    /// Runs the tests beside the configuration and returns what they printed.
    ///
    /// # Errors
    /// Fails if a test fails.
    pub async fn test(&self) -> anyhow::Result<String> {
        self.terraform(&["test", "-no-color"]).await
    }

    /// Plans, and lists what an apply would change: the actions and the address of each resource.
    ///
    /// # Errors
    /// Fails with Terraform's message.
    pub async fn planned_changes(&self) -> anyhow::Result<BTreeSet<String>> {
        self.with_variables(&["plan", "-out=plan"]).await?;
        let plan = self.terraform(&["show", "-json", "plan"]).await?;
        let plan: Plan = serde_json::from_str(&plan).context("the plan is no JSON")?;
        let changes = plan.resource_changes.into_iter();
        let changes = changes.filter(|planned| planned.change.actions != ["no-op"]);
        Ok(changes
            .map(|planned| format!("{} {}", planned.change.actions.join("+"), planned.address))
            .collect())
    }

    /// Applies the configuration.
    ///
    /// # Errors
    /// Fails with Terraform's message.
    pub async fn apply(&self) -> anyhow::Result<String> {
        self.with_variables(&["apply", "-auto-approve"]).await
    }

    /// Takes a resource of the account into the state.
    ///
    /// # Errors
    /// Fails with Terraform's message.
    pub async fn import(&self, address: &str, id: &str) -> anyhow::Result<()> {
        self.terraform(&["import", "-input=false", "-no-color", address, id]).await.map(drop)
    }

    /// Takes a resource out of the state. The account keeps it.
    ///
    /// # Errors
    /// Fails with Terraform's message.
    pub async fn forget(&self, address: &str) -> anyhow::Result<()> {
        self.terraform(&["state", "rm", address]).await.map(drop)
    }

    /// Returns the settings with which Terraform finds the stand-in, and the stand-in its account.
    #[must_use]
    pub fn settings(&self) -> [(&str, PathBuf); 2] {
        [
            ("TF_CLI_CONFIG_FILE", self.scratch.path().join("terraformrc")),
            ("AWS_PROVIDER_ACCOUNT", self.account()),
        ]
    }

    /// Removes everything that the configuration made.
    ///
    /// # Errors
    /// Fails with Terraform's message.
    pub async fn destroy(&self) -> anyhow::Result<String> {
        self.with_variables(&["destroy", "-auto-approve"]).await
    }

    /// Lists what the account has: type, account, region and name of each resource that has a name.
    ///
    /// # Errors
    /// Fails if nothing was ever made.
    pub fn existing(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut existing = BTreeSet::new();
        for AccountChange { operation, identity, .. } in self.account_changes()? {
            match (operation.as_str(), identity) {
                ("delete", Some(identity)) => existing.remove(&identity),
                (_, Some(identity)) => existing.insert(identity),
                (_, None) => false,
            };
        }
        Ok(existing)
    }

    /// Lists every change of the account, oldest first.
    ///
    /// # Errors
    /// Fails if nothing was ever made.
    pub fn account_changes(&self) -> anyhow::Result<Vec<AccountChange>> {
        let text = std::fs::read_to_string(self.account())?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Runs a script of `tests/provider` on the account, and returns what it printed.
    ///
    /// # Errors
    /// Fails with the problems that the script found.
    pub async fn check(&self, script: &str) -> anyhow::Result<String> {
        let mut command = Command::new(tools::aws_provider()?.join("venv/bin/python"));
        command.arg(tools::workspace().join("tests/provider").join(script)).arg(self.account());
        output(command).await
    }

    async fn with_variables(&self, words: &[&str]) -> anyhow::Result<String> {
        std::fs::write(self.folder.join("test.auto.tfvars.json"), self.variables.to_string())?;
        self.terraform(&[words, &["-input=false", "-no-color"]].concat()).await
    }

    async fn terraform(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(tools::terraform()?);
        command.arg(format!("-chdir={}", self.folder.display())).args(words).envs(self.settings());
        output(command).await
    }

    fn account(&self) -> PathBuf {
        self.scratch.path().join("account")
    }

    /// Makes a mirror of providers in which only the stand-in is, for the types that `infra` has.
    fn install_provider(&self, infra: &Path) -> anyhow::Result<()> {
        let installed = tools::aws_provider()?;
        let version = std::fs::read_to_string(installed.join("schema/version"))?;
        let mirror = self.scratch.path().join("mirror");
        let system = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("macos", "aarch64") => "darwin_arm64",
            ("macos", _) => "darwin_amd64",
            (_, "aarch64") => "linux_arm64",
            _ => "linux_amd64",
        };
        let place = mirror.join("registry.terraform.io/hashicorp/aws").join(&version).join(system);
        std::fs::create_dir_all(&place)?;
        let program = place.join(format!("terraform-provider-aws_v{version}"));
        let mut types = BTreeSet::new();
        add_types(infra, &mut types)?;
        let types: Vec<String> = types.into_iter().collect();
        let text = format!(
            "#!/bin/sh\nAWS_PROVIDER_SCHEMA='{}' AWS_PROVIDER_TYPES='{}' exec '{}' '{}'\n",
            installed.join("schema").display(),
            types.join(" "),
            installed.join("venv/bin/python").display(),
            tools::workspace().join("tests/provider/provider.py").display(),
        );
        std::fs::write(&program, text)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        let settings = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        );
        std::fs::write(self.scratch.path().join("terraformrc"), settings)?;
        Ok(())
    }
}

/// Copies a folder, without what Terraform left in it.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".terraform") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(name))?;
        } else {
            std::fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Finds the types of the AWS provider that the files of a folder use.
fn add_types(folder: &Path, types: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            add_types(&path, types)?;
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            let text = std::fs::read_to_string(&path)?;
            types.extend(text.lines().filter_map(|line| {
                let (kind, rest) = line.split_once(" \"")?;
                let (name, _) = rest.split_once('"')?;
                let is_type = matches!(kind, "resource" | "data") && name.starts_with("aws_");
                is_type.then(|| format!("{kind}.{name}"))
            }));
        }
    }
    Ok(())
}
