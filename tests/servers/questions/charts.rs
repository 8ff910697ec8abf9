//! Questions about charts that are pushed and moved.

use anyhow::ensure;
use serde_json::json;
use tests::helm;

use crate::server::Server;
use crate::site::{REPOSITORY, Site, row};

pub(super) async fn pushed_by_helm(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let clients = site.registry.clients();
    for (chart, version, namespace) in
        [("hello", "0.2.0+build.7", "demo"), ("orders", "1.0.0", "shop/eu")]
    {
        let remote = format!("oci://{}/{namespace}", site.registry.host);
        helm::push_sample_as(&clients, chart, version, &remote).await?;
    }
    site.registry.pusher.push_image("team/image", "1", "image").await?;
    let summary = site.pass_that_changes(2, 0).await?;
    ensure!(summary["skipped"] == 1 && summary["broken"] == 0, "{summary}");
    let charts = site.available().await?;
    let names = charts.iter().map(|chart| chart.split(' ').next().unwrap_or_default());
    ensure!(names.eq(["demo/hello:0.2.0_build.7", "shop/eu/orders:1.0.0"]), "{charts:?}");
    Ok("found, and the image is not one".to_owned())
}

pub(super) async fn unchanged(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    for n in 0..20 {
        site.registry.pusher.push_chart(&format!("team/api-{n}"), "1.0.0", "x").await?;
    }
    site.pass_that_changes(20, 0).await?;
    let (summary, requests) = site.counted_pass().await?;
    ensure!(summary["complete"] == true && summary["manifests"] == 0, "{summary}");
    ensure!((21.0..=22.0).contains(&requests), "{requests} requests for 20 repositories");
    Ok(format!("{requests} requests for 20 repositories"))
}

pub(super) async fn new_tag(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let first = site.push(&["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    let second = site.push(&["1.1.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    let expected = [row("1.0.0", &first[0]), row("1.1.0", &second[0])];
    let charts = site.available().await?;
    ensure!(charts == expected, "{charts:?}");
    Ok("found by the next pass".to_owned())
}

pub(super) async fn moved_tag(server: Server) -> anyhow::Result<String> {
    let mut site = Site::start(server).await?;
    site.push(&["1.0.0", "1.1.0"]).await?;
    site.pass_that_changes(2, 0).await?;
    site.verify_often();
    let moved = site.registry.pusher.push_chart(REPOSITORY, "1.0.0", "moved").await?;
    let (mut added, mut unavailable) = (0, 0);
    for _ in 0..10 {
        let summary = site.passes().await?;
        ensure!(summary["errors"] == json!([]), "{summary}");
        added += summary["added"].as_u64().unwrap_or_default();
        unavailable += summary["unavailable"].as_u64().unwrap_or_default();
        if unavailable == 1 {
            break;
        }
    }
    ensure!((added, unavailable) == (1, 1), "{added} added, {unavailable} unavailable");
    let charts = site.available().await?;
    ensure!(charts.contains(&row("1.0.0", &moved)), "{charts:?}");
    Ok("found by verification".to_owned())
}

pub(super) async fn pages(server: Server) -> anyhow::Result<String> {
    const NAMES: usize = 1_200;
    let site = Site::start(server).await?;
    let pusher = &site.registry.pusher;
    pusher.push_chart(REPOSITORY, "first", "x").await?;
    let manifest = pusher.manifest(REPOSITORY, "first").await?;
    for n in 0..NAMES {
        pusher.put_manifest(REPOSITORY, &format!("1.0.{n}"), &manifest).await?;
        pusher.push_image(&format!("images/{n}"), "1", "image").await?;
    }
    let mut summary = site.pass().await?;
    while summary["complete"] == false && summary["errors"] == json!([]) {
        summary = site.pass().await?;
    }
    let charts = site.available().await?;
    ensure!(charts.len() == NAMES + 1, "{} charts: {summary}", charts.len());
    ensure!(summary["repositories"] == NAMES + 1, "{summary}");
    Ok("all found".to_owned())
}
