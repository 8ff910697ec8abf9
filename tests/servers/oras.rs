//! Pushes with oras, a client for any artifact.

use std::ffi::OsStr;

use anyhow::{Context as _, bail};
use shared::domain::Digest;
use tests::tools;
use tokio::process::Command;

use crate::running::Running;

/// Makes an index that has the manifest of another tag in it, and returns its digest.
///
/// # Errors
/// Fails with the words of oras if it fails.
pub(crate) async fn index(
    registry: &Running,
    repository: &str,
    tag: &str,
    child: &str,
) -> anyhow::Result<Digest> {
    let name = format!("{}/{repository}:{tag}", registry.host);
    let said = run(registry, &["manifest", "index", "create"], &[&name, child]).await?;
    let digest = said.lines().find_map(|line| line.strip_prefix("Digest: "));
    Ok(digest.context("oras names no digest")?.trim().parse()?)
}

/// Attaches a file to the manifest of a tag.
///
/// # Errors
/// Fails with the words of oras if it fails.
pub(crate) async fn attach(registry: &Running, repository: &str, tag: &str) -> anyhow::Result<()> {
    let name = format!("{}/{repository}:{tag}", registry.host);
    std::fs::write(registry.folder().join("sbom.json"), "{}")?;
    let file = "sbom.json:application/spdx+json";
    let words = ["attach", "--artifact-type", "application/spdx+json"];
    run(registry, &words, &[&name, file]).await?;
    Ok(())
}

async fn run(registry: &Running, words: &[&str], names: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(tools::go_program("oras")?);
    command.args(words).args(["--plain-http", "--registry-config"]);
    command.arg(registry.clients()).args(names.iter().map(OsStr::new));
    command.current_dir(registry.folder()).kill_on_drop(true);
    let done = command.output().await.context("cannot start oras")?;
    if !done.status.success() {
        bail!("oras {words:?}: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
