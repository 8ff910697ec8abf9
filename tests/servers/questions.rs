//! The questions.

use anyhow::ensure;
use serde_json::json;
use shared::domain::Digest;
use tests::helm;
use tests::moto::Moto;
use tests::push::Pusher;
use tests::registry::USER;

use crate::question::Question;
use crate::server::Server;
use crate::site::Site;

pub(crate) const ALL: &[Question] = &[
    Question::new("charts that Helm 4 pushed", |server| Box::pin(pushed_by_helm(server))),
    Question::new("an unchanged registry", |server| Box::pin(unchanged(server))),
    Question::new("a new tag", |server| Box::pin(new_tag(server))),
    Question::new("a moved tag", |server| Box::pin(moved_tag(server))),
    Question::new("a deleted tag", |server| Box::pin(deleted_tag(server))),
    Question::new("the last tag of a repository", |server| Box::pin(last_tag(server))),
    Question::new("a chart in an image index", |server| Box::pin(indexed_chart(server))),
    Question::new("a signature of a chart", |server| Box::pin(signature(server))),
    Question::new("1,200 tags, 1,200 repositories", |server| Box::pin(pages(server))),
    Question::of_login("the right password", |server| Box::pin(right_password(server))),
    Question::of_login("a wrong password", |server| Box::pin(wrong_password(server))),
];

const REPOSITORY: &str = "team/api";

/// Pushes charts, and returns their digests.
async fn push(pusher: &Pusher, tags: &[&str]) -> anyhow::Result<Vec<Digest>> {
    let mut digests = Vec::new();
    for tag in tags {
        digests.push(pusher.push_chart(REPOSITORY, tag, tag).await?);
    }
    Ok(digests)
}

fn row(tag: &str, digest: &Digest) -> String {
    format!("{REPOSITORY}:{tag} {digest}")
}

async fn pushed_by_helm(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    helm::push_sample("hello", "0.2.0+build.7", &site.registry.host, "demo").await?;
    helm::push_sample("orders", "1.0.0", &site.registry.host, "shop/eu").await?;
    site.registry.pusher.push_image("team/image", "1", "image").await?;
    let summary = site.pass_that_changes(2, 0).await?;
    ensure!(summary["skipped"] == 1 && summary["broken"] == 0, "{summary}");
    let charts = site.available().await?;
    let names = charts.iter().map(|chart| chart.split(' ').next().unwrap_or_default());
    ensure!(names.eq(["demo/hello:0.2.0_build.7", "shop/eu/orders:1.0.0"]), "{charts:?}");
    Ok("found, and the image is not one".to_owned())
}

async fn unchanged(server: Server) -> anyhow::Result<String> {
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

async fn new_tag(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let first = push(&site.registry.pusher, &["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    let second = push(&site.registry.pusher, &["1.1.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    let expected = [row("1.0.0", &first[0]), row("1.1.0", &second[0])];
    let charts = site.available().await?;
    ensure!(charts == expected, "{charts:?}");
    Ok("found by the next pass".to_owned())
}

async fn moved_tag(server: Server) -> anyhow::Result<String> {
    let mut site = Site::start(server).await?;
    site.verify_often();
    push(&site.registry.pusher, &["1.0.0", "1.1.0"]).await?;
    site.passes().await?;
    let moved = site.registry.pusher.push_chart(REPOSITORY, "1.0.0", "moved").await?;
    let (mut added, mut unavailable) = (0, 0);
    for _ in 0..3 {
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

async fn deleted_tag(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let digests = push(&site.registry.pusher, &["1.0.0", "1.1.0"]).await?;
    site.pass_that_changes(2, 0).await?;
    site.registry.delete(REPOSITORY, "1.0.0", &digests[0]).await?;
    site.pass_that_changes(0, 1).await?;
    let charts = site.available().await?;
    ensure!(charts == [row("1.1.0", &digests[1])], "{charts:?}");
    push(&site.registry.pusher, &["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    Ok("unavailable after the next pass, and back when pushed again".to_owned())
}

async fn last_tag(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let digests = push(&site.registry.pusher, &["1.0.0"]).await?;
    site.pass_that_changes(1, 0).await?;
    site.registry.delete(REPOSITORY, "1.0.0", &digests[0]).await?;
    site.pass_that_changes(0, 1).await?;
    Ok("unavailable after the next pass".to_owned())
}

async fn indexed_chart(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let chart = push(&site.registry.pusher, &["child"]).await?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX_MEDIA_TYPE,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": shared::helm::CONFIG_MEDIA_TYPE,
            "digest": chart[0].as_str(),
            "size": 1,
        }],
    });
    let pusher = &site.registry.pusher;
    let digest = pusher.put_manifest_as(REPOSITORY, "1.0.0", INDEX_MEDIA_TYPE, &index).await?;
    site.pass_that_changes(2, 0).await?;
    let charts = site.available().await?;
    ensure!(charts.contains(&row("1.0.0", &digest)), "{charts:?}");
    Ok("found, by the digest of the index".to_owned())
}

const INDEX_MEDIA_TYPE: &str = "application/vnd.oci.image.index.v1+json";

async fn signature(server: Server) -> anyhow::Result<String> {
    let site = Site::start(server).await?;
    let pusher = &site.registry.pusher;
    let chart = push(pusher, &["1.0.0"]).await?;
    let signature = json!({"mediaType": "application/vnd.oci.image.config.v1+json"});
    for mark in ["", ".sig", ".att"] {
        let tag = format!("{}{mark}", chart[0].as_str().replace(':', "-"));
        pusher.push_image(REPOSITORY, &tag, &signature.to_string()).await?;
    }
    let summary = site.pass_that_changes(1, 0).await?;
    ensure!(summary["manifests"] == 1, "a mark costs no request: {summary}");
    Ok("costs no request".to_owned())
}

async fn pages(server: Server) -> anyhow::Result<String> {
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

/// Makes a registry that asks for a password, with one chart. The poller has `password`.
async fn with_login(server: Server, moto: &Moto, password: &str) -> anyhow::Result<Site> {
    let registry = server.start(true).await?;
    push(&registry.pusher, &["1.0.0"]).await?;
    let secret = json!({"username": USER.0, "password": password});
    let arn = moto.create_secret("registry", &secret).await?;
    let secrets = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.settings()[0].1)];
    Site::of(registry, &secrets, Some(&arn)).await
}

async fn right_password(server: Server) -> anyhow::Result<String> {
    let moto = Moto::start().await?;
    let site = with_login(server, &moto, USER.1).await?;
    site.pass_that_changes(1, 0).await?;
    Ok("found".to_owned())
}

async fn wrong_password(server: Server) -> anyhow::Result<String> {
    let moto = Moto::start().await?;
    let site = with_login(server, &moto, "wrong").await?;
    let summary = site.pass().await?;
    let error = summary["errors"][0].as_str().unwrap_or_default();
    ensure!(error.contains("refuses the credentials"), "{summary}");
    Ok("the error names the secret".to_owned())
}
