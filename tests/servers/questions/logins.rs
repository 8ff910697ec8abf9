//! Questions about logins and rights.

use anyhow::ensure;
use serde_json::{Value, json};
use tests::registry::{NEW_PASSWORD, USER};

use crate::running::Access;
use crate::server::Server;
use crate::site::{REPOSITORY, Site};

/// Checks that the poller changed no row, and says that the credentials are refused.
fn refused(summary: &Value) -> anyhow::Result<()> {
    let error = summary["errors"][0].as_str().unwrap_or_default();
    ensure!(error.contains("refuses the credentials of oci.credentialsSecretArn"), "{summary}");
    ensure!(summary["added"] == 0 && summary["unavailable"] == 0, "{summary}");
    Ok(())
}

pub(super) async fn right(server: Server) -> anyhow::Result<String> {
    let site = Site::with(server, Access::Login, USER.1).await?;
    site.push(&["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    Ok("found".to_owned())
}

pub(super) async fn wrong(server: Server) -> anyhow::Result<String> {
    let site = Site::with(server, Access::Login, "wrong").await?;
    site.push(&["1.0.0"]).await?;
    refused(&site.pass().await?)?;
    Ok("the error names the secret".to_owned())
}

/// The registry has a new password before the secret has it.
pub(super) async fn replaced(server: Server) -> anyhow::Result<String> {
    let mut site = Site::with(server, Access::BriefLogin, USER.1).await?;
    site.push(&["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    site.registry.replace_password().await?;
    refused(&site.pass().await?)?;
    ensure!(site.available().await?.len() == 1, "the charts stay");
    site.replace_secret(NEW_PASSWORD).await?;
    site.push(&["1.1.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    Ok("the error names the secret, until the secret has the new one".to_owned())
}

pub(super) async fn expired(server: Server) -> anyhow::Result<String> {
    let site = Site::with(server, Access::BriefLogin, USER.1).await?;
    site.push(&["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    site.push(&["1.1.0"]).await?;
    site.registry.pulp()?.wait_until_tokens_expire().await?;
    site.pass_that_changes(1, 0).await?;
    Ok("the poller logs in again".to_owned())
}

/// Case from the field 26.
pub(super) async fn narrowed(server: Server) -> anyhow::Result<String> {
    let site = Site::with(server, Access::BriefLogin, USER.1).await?;
    site.push(&["1.0.0"]).await?;
    site.registry.pusher.push_chart("team/web", "1.0.0", "x").await?;
    site.pass_that_changes(2, 0).await?;
    site.registry.pulp()?.set_private(REPOSITORY, true).await?;
    let summary = site.pass_that_changes(0, 0).await?;
    ensure!(summary["hidden"] == 1 && summary["errors"] == json!([]), "{summary}");
    let said = site.health().await?;
    let expected = "1 repositories are hidden from these credentials since";
    ensure!(said.starts_with(expected) && said.contains(REPOSITORY), "{said}");
    ensure!(site.available().await?.len() == 2, "the charts stay");
    site.push(&["1.1.0"]).await?;
    site.registry.pulp()?.set_private(REPOSITORY, false).await?;
    site.let_time_pass().await?;
    let summary = site.pass_that_changes(1, 0).await?;
    ensure!(summary["hidden"] == Value::Null, "{summary}");
    ensure!(site.health().await?.is_empty(), "{}", site.health().await?);
    Ok("the charts stay, and the health names the repository".to_owned())
}
