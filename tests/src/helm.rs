//! Packages, pushes and pulls charts with the real Helm client.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::tools;

/// Returns the path of the script that drives the Helm client.
#[must_use]
pub fn script() -> PathBuf {
    tools::workspace().join("tests/src/helm.py")
}

/// Packages the sample chart `chart` of `tests/charts` as `version` and pushes it to
/// `oci://<host>/<namespace>/<chart>`.
///
/// # Errors
/// Fails with Helm's message if Helm fails.
pub async fn push_sample(
    chart: &str,
    version: &str,
    host: &str,
    namespace: &str,
) -> anyhow::Result<()> {
    push_folder(&sample(chart), version, host, namespace).await
}

/// Packages and pushes a sample chart to `remote`, which begins with `oci://`. `credentials` is the
/// file that `helm registry login` writes.
///
/// # Errors
/// Fails with Helm's message if Helm fails.
pub async fn push_sample_as(
    credentials: &Path,
    chart: &str,
    version: &str,
    remote: &str,
) -> anyhow::Result<()> {
    push(&sample(chart), version, remote, Some(credentials)).await
}

fn sample(chart: &str) -> PathBuf {
    tools::workspace().join("tests/charts").join(chart)
}

/// Packages and pushes any chart folder, as [`push_sample`] does.
///
/// # Errors
/// Fails with Helm's message if Helm fails.
pub async fn push_folder(
    folder: &Path,
    version: &str,
    host: &str,
    namespace: &str,
) -> anyhow::Result<()> {
    push(folder, version, &format!("oci://{host}/{namespace}"), None).await
}

async fn push(
    folder: &Path,
    version: &str,
    remote: &str,
    credentials: Option<&Path>,
) -> anyhow::Result<()> {
    // The script's own folder is inside this one, which is removed even if the script is killed.
    let scratch = tempfile::Builder::new().prefix("chart-discovery-helm-").tempdir()?;
    let mut command = Command::new(tools::python()?);
    command.arg(script()).arg(folder).args([version, remote]).env("TMPDIR", scratch.path());
    command.envs(credentials.map(|file| ("HELM_REGISTRY_CONFIG", file)));
    // In its own process group, because Ctrl-C is meant for the parent, which ends the child.
    command.process_group(0).kill_on_drop(true);
    let pushed = command.output().await.context("cannot start the Helm client")?;
    if !pushed.status.success() {
        let said = String::from_utf8_lossy(&pushed.stderr);
        let said = said.trim().lines().last().unwrap_or_default();
        bail!("helm push of {} {version} to {remote} failed: {said}", folder.display());
    }
    Ok(())
}

/// Pulls a chart from a registry without TLS into a folder, as `helm pull REFERENCE --plain-http`
/// does.
///
/// # Errors
/// Fails with Helm's message if Helm fails.
pub async fn pull(reference: &str, folder: &Path) -> anyhow::Result<()> {
    let script = "import sys, helm_python; helm_python.pull(sys.argv[1], destination=sys.argv[2], \
                  plain_http=True)";
    let mut command = Command::new(tools::python()?);
    let run = command
        .args(["-c", script, reference])
        .arg(folder)
        .output()
        .await
        .context("cannot start Helm")?;
    if !run.status.success() {
        bail!("helm pull of {reference} failed: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(())
}

/// Loads chart archives with Helm's loader, as every command of Helm does. Returns Helm's error for
/// each, or `None` if Helm loads it.
///
/// # Errors
/// Fails if Helm cannot be started.
pub async fn load(archives: &[Vec<u8>]) -> anyhow::Result<Vec<Option<String>>> {
    let folder = tempfile::Builder::new().prefix("chart-discovery-helm-").tempdir()?;
    for (n, archive) in archives.iter().enumerate() {
        std::fs::write(folder.path().join(n.to_string()), archive)?;
    }
    let script = "import json, sys, helm_python
def error(n):
    try:
        helm_python.Chart.load_archive(open(f'{sys.argv[1]}/{n}', 'rb').read())
    except helm_python.HelmError as error:
        return str(error)
print(json.dumps([error(n) for n in range(int(sys.argv[2]))]))";
    let mut command = Command::new(tools::python()?);
    command.args(["-c", script]).arg(folder.path()).arg(archives.len().to_string());
    let run = command.kill_on_drop(true).output().await.context("cannot start the Helm client")?;
    if !run.status.success() {
        bail!("helm cannot load charts: {}", String::from_utf8_lossy(&run.stderr));
    }
    serde_json::from_slice(&run.stdout).context("the Helm client printed something else")
}
