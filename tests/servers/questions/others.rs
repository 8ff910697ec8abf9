//! Questions about artifacts that are no charts, or have one in them.

use anyhow::ensure;
use serde_json::json;

use crate::oras;
use crate::server::Server;
use crate::site::{REPOSITORY, Site, row};

pub(super) async fn indexed_chart(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    site.push(&["child"]).await?;
    let digest = oras::index(&site.registry, REPOSITORY, "1.0.0", "child").await?;
    site.pass_that_changes(2, 0).await?;
    let charts = site.available().await?;
    ensure!(charts.contains(&row("1.0.0", &digest)), "{charts:?}");
    Ok("found, by the digest of the index".to_owned())
}

pub(super) async fn signature(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let chart = site.push(&["1.0.0"]).await?;
    let signature = json!({"mediaType": "application/vnd.oci.image.config.v1+json"});
    for mark in ["", ".sig", ".att"] {
        let tag = format!("{}{mark}", chart[0].as_str().replace(':', "-"));
        site.registry.pusher.push_image(REPOSITORY, &tag, &signature.to_string()).await?;
    }
    let summary = site.pass_that_changes(1, 0).await?;
    ensure!(summary["manifests"] == 1, "a mark costs no request: {summary}");
    Ok("costs no request".to_owned())
}

pub(super) async fn referrer(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let chart = site.push(&["1.0.0"]).await?;
    oras::attach(&site.registry, REPOSITORY, "1.0.0").await?;
    let summary = site.pass_that_changes(1, 0).await?;
    ensure!(summary["manifests"] == 1, "a referrer costs no request: {summary}");
    let charts = site.available().await?;
    ensure!(charts == [row("1.0.0", &chart[0])], "{charts:?}");
    Ok("costs no request".to_owned())
}
