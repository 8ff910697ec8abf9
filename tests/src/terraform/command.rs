//! Runs Terraform's commands.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::tools;

/// Checks that every file of `infra` is valid and formatted.
///
/// # Errors
/// Names the files that are not.
pub async fn check_format() -> anyhow::Result<()> {
    let folder = format!("-chdir={}", tools::workspace().join("infra").display());
    let mut command = Command::new(tools::terraform()?);
    command.args([&folder, "fmt", "-check", "-recursive", "-no-color"]);
    output(command).await.map(drop)
}

/// Runs a command and returns what it printed.
pub(super) async fn output(mut command: Command) -> anyhow::Result<String> {
    command.env("CHECKPOINT_DISABLE", "1").kill_on_drop(true);
    let ended = command.output().await.with_context(|| format!("cannot start {command:?}"))?;
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    ensure!(
        ended.status.success(),
        "{command:?}: {printed}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(printed)
}
