//! Questions about tags and repositories that are deleted.

use anyhow::ensure;
use serde_json::json;
use tests::registry::USER;

use crate::running::Access;
use crate::server::Server;
use crate::site::{REPOSITORY, Site, row};

pub(super) async fn deleted_tag(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let digests = site.push(&["1.0.0", "1.1.0"]).await?;
    site.pass_that_changes(2, 0).await?;
    site.registry.delete(REPOSITORY, "1.0.0", &digests[0]).await?;
    site.pass_that_changes(0, 1).await?;
    let charts = site.available().await?;
    ensure!(charts == [row("1.1.0", &digests[1])], "{charts:?}");
    site.push(&["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    Ok("unavailable after the next pass, and back when pushed again".to_owned())
}

pub(super) async fn last_tag(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let digests = site.push(&["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    site.registry.delete(REPOSITORY, "1.0.0", &digests[0]).await?;
    site.pass_that_changes(0, 1).await?;
    Ok("unavailable after the next pass".to_owned())
}

/// Pulp answers as if the user lost the right to pull, like GHCR and Docker Hub, unless the poller
/// has a token from before. The others say that the repository is not there.
pub(super) async fn whole_repository(server: Server) -> anyhow::Result<String> {
    const OTHER: &str = "team/web";
    let is_pulp = server == Server::Pulp;
    let access = if is_pulp { Access::BriefLogin } else { Access::Open };
    let site = Site::with(server, access, USER.1).await?;
    site.push(&["1.0.0", "1.1.0"]).await?;
    site.registry.pusher.push_chart(OTHER, "1.0.0", "x").await?;
    site.pass_that_changes(3, 0).await?;
    site.registry.remove_repository(REPOSITORY).await?;
    let summary = site.pass_that_changes(0, 0).await?;
    let answer = if is_pulp {
        ensure!(summary["hidden"] == 1, "{summary}");
        let released = site.invoke("release", json!({"repository": REPOSITORY})).await?;
        ensure!(released["unavailable"] == 2, "{released}");
        "hidden, and unavailable after a release"
    } else {
        ensure!(summary["held"] == 2, "{summary}");
        site.let_time_pass().await?;
        site.pass_that_changes(0, 2).await?;
        "held back, and unavailable after the hold"
    };
    let charts = site.available().await?;
    ensure!(charts.len() == 1 && charts[0].starts_with(OTHER), "{charts:?}");
    Ok(answer.to_owned())
}
