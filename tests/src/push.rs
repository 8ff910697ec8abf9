//! Pushes thousands of small charts and images. `crate::helm` pushes with the real Helm client.

use anyhow::{Context as _, ensure};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};

use crate::chart;

/// The media type of a container image's config.
pub const IMAGE_CONFIG_MEDIA_TYPE: &str = "application/vnd.oci.image.config.v1+json";

const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A client that pushes to one registry.
#[derive(Debug, Clone)]
pub struct Pusher {
    http: reqwest::Client,
    base: String,
}

impl Pusher {
    /// Makes a client for the registry at `host` (with its port), without TLS.
    ///
    /// # Errors
    /// Fails if no HTTP client can be made.
    pub fn new(host: &str) -> anyhow::Result<Self> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(Self { http, base: format!("http://{host}/v2") })
    }

    /// Makes a client that sends a user name and password.
    ///
    /// # Errors
    /// Fails if no HTTP client can be made.
    pub fn as_user(host: &str, user: &str, password: &str) -> anyhow::Result<Self> {
        Self::new(&format!("{user}:{password}@{host}"))
    }

    /// Pushes a chart and returns its digest. Another `content` gives another digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn push_chart(
        &self,
        repository: &str,
        tag: &str,
        content: &str,
    ) -> anyhow::Result<Digest> {
        let layer = self.push_layer(repository, &chart::plain()).await?;
        self.push(repository, tag, CONFIG_MEDIA_TYPE, &[layer], content).await
    }

    /// Pushes a chart with this layer and returns its digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn push_archive(
        &self,
        repository: &str,
        tag: &str,
        layer: &[u8],
    ) -> anyhow::Result<Digest> {
        let layer = self.push_layer(repository, layer).await?;
        self.push(repository, tag, CONFIG_MEDIA_TYPE, &[layer], "").await
    }

    /// Pushes a container image and returns its digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn push_image(
        &self,
        repository: &str,
        tag: &str,
        content: &str,
    ) -> anyhow::Result<Digest> {
        self.push(repository, tag, IMAGE_CONFIG_MEDIA_TYPE, &[], content).await
    }

    /// Pushes a chart's layer and returns its descriptor.
    async fn push_layer(&self, repository: &str, layer: &[u8]) -> anyhow::Result<Value> {
        let digest = self.push_blob(repository, layer).await?;
        Ok(json!({"mediaType": CHART_MEDIA_TYPE, "digest": digest.as_str(), "size": layer.len()}))
    }

    async fn push(
        &self,
        repository: &str,
        tag: &str,
        config_type: &str,
        layers: &[Value],
        content: &str,
    ) -> anyhow::Result<Digest> {
        let config = self.push_blob(repository, b"{}").await?;
        let manifest = json!({
            "schemaVersion": 2,
            "config": {"mediaType": config_type, "digest": config.as_str(), "size": 2},
            "layers": layers,
            "annotations": {"org.opencontainers.image.title": content},
        });
        self.put_manifest(repository, tag, &manifest).await
    }

    /// Puts a manifest as it is and returns its digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        manifest: &Value,
    ) -> anyhow::Result<Digest> {
        self.put_manifest_as(repository, tag, MANIFEST_MEDIA_TYPE, manifest).await
    }

    /// Puts a manifest or an index as it is, and returns its digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn put_manifest_as(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        manifest: &Value,
    ) -> anyhow::Result<Digest> {
        let bytes = serde_json::to_vec(manifest)?;
        let digest = Digest::sha256(&bytes);
        let url = format!("{}/{repository}/manifests/{tag}", self.base);
        let request = self.http.put(url).header(CONTENT_TYPE, media_type).body(bytes);
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "pushing {repository}:{tag}: {}", answer.status());
        Ok(digest)
    }

    /// Returns the manifest of a tag.
    ///
    /// # Errors
    /// Fails if the registry does not have it.
    pub async fn manifest(&self, repository: &str, tag: &str) -> anyhow::Result<Value> {
        let url = format!("{}/{repository}/manifests/{tag}", self.base);
        let answer = self.http.get(url).header(ACCEPT, MANIFEST_MEDIA_TYPE).send().await?;
        let answer = answer.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Pushes a blob, unless the repository has it, and returns its digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn push_blob(&self, repository: &str, bytes: &[u8]) -> anyhow::Result<Digest> {
        let digest = Digest::sha256(bytes);
        let blob = format!("{}/{repository}/blobs/{digest}", self.base);
        if self.http.head(blob).send().await?.status().is_success() {
            return Ok(digest);
        }
        let started =
            self.http.post(format!("{}/{repository}/blobs/uploads/", self.base)).send().await?;
        let location = started
            .headers()
            .get(LOCATION)
            .context("the registry names no upload")?
            .to_str()?
            .to_owned();
        // The upload uses this client's base address, because it has the password in it.
        let (_, path) = location.split_once("/v2/").context("an upload elsewhere")?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let upload = self
            .http
            .put(format!("{}/{path}{separator}digest={digest}", self.base))
            .body(bytes.to_vec())
            .send()
            .await?;
        ensure!(
            upload.status().is_success(),
            "pushing a blob to {repository}: {}",
            upload.status()
        );
        Ok(digest)
    }

    /// Deletes a manifest, and with it every tag that resolves to it.
    ///
    /// # Errors
    /// Fails if the registry refuses.
    pub async fn delete(&self, repository: &str, digest: &Digest) -> anyhow::Result<()> {
        self.delete_reference(repository, digest.as_str()).await
    }

    /// Deletes a tag, or a manifest by its digest. Some registries take only one of them.
    ///
    /// # Errors
    /// Fails if the registry refuses.
    pub async fn delete_reference(&self, repository: &str, reference: &str) -> anyhow::Result<()> {
        let answer = self
            .http
            .delete(format!("{}/{repository}/manifests/{reference}", self.base))
            .send()
            .await?;
        ensure!(
            answer.status().is_success(),
            "deleting {repository} {reference}: {}",
            answer.status()
        );
        Ok(())
    }
}
