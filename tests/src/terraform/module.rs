//! Evaluates the modules that make all decisions. They need no provider.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::command::output;
use crate::tools;

/// A module of `infra/modules`, initialised in a temporary folder, so that the source tree stays
/// clean.
#[derive(Debug)]
pub struct Module {
    source: PathBuf,
    folder: TempDir,
}

impl Module {
    /// Initialises a module.
    ///
    /// # Errors
    /// Fails if Terraform is missing, or if the module cannot be read.
    pub async fn init(name: &str) -> anyhow::Result<Self> {
        let source = tools::workspace().join("infra/modules").join(name);
        let module = Self { source, folder: TempDir::new()? };
        module.run(&["init", "-input=false"]).await?;
        Ok(module)
    }

    /// Runs the module's own tests and returns their output.
    ///
    /// # Errors
    /// Fails if a test fails.
    pub async fn test(&self) -> anyhow::Result<String> {
        self.run(&["test", "-no-color"]).await
    }

    /// Returns all outputs of the module for these variables.
    ///
    /// # Errors
    /// Fails with Terraform's message if it refuses the variables.
    pub async fn output(&self, variables: &Value) -> anyhow::Result<Value> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        std::fs::write(file("in.tfvars.json"), variables.to_string())?;
        let (state, variables) =
            (format!("-state={}", file("state")), format!("-var-file={}", file("in.tfvars.json")));
        self.run(&["apply", "-auto-approve", "-input=false", "-no-color", &state, &variables])
            .await?;
        let printed = self.run(&["output", "-json", &state]).await?;
        let outputs: serde_json::Map<String, Value> = serde_json::from_str(&printed)?;
        let values = outputs
            .into_iter()
            .map(|(name, output)| (name, output.get("value").cloned().unwrap_or_default()));
        Ok(Value::Object(values.collect()))
    }

    async fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let source = format!("-chdir={}", self.source.display());
        let mut command = Command::new(tools::terraform()?);
        command.arg(source).args(words).env("TF_DATA_DIR", self.folder.path().join("data"));
        output(command).await
    }
}
