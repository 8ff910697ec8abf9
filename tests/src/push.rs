//! Pushes thousands of small charts and images. `crate::helm` pushes with the real Helm client.

use anyhow::{Context as _, ensure};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder, Response};
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
    realm: Option<Realm>,
}

/// The server that issues a token for each request, and the credentials that it asks for.
#[derive(Debug, Clone)]
struct Realm {
    url: String,
    service: String,
    user: String,
    password: String,
}

impl Pusher {
    /// Makes a client for the registry at `host` (with its port), without TLS.
    ///
    /// # Errors
    /// Fails if no HTTP client can be made.
    pub fn new(host: &str) -> anyhow::Result<Self> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(Self { http, base: format!("http://{host}/v2"), realm: None })
    }

    /// Makes a client that sends a user name and password.
    ///
    /// # Errors
    /// Fails if no HTTP client can be made.
    pub fn as_user(host: &str, user: &str, password: &str) -> anyhow::Result<Self> {
        Self::new(&format!("{user}:{password}@{host}"))
    }

    /// Makes a client that gets a token from the registry itself, at `/token/`, for each request.
    ///
    /// # Errors
    /// Fails if no HTTP client can be made.
    pub fn with_tokens(host: &str, user: &str, password: &str) -> anyhow::Result<Self> {
        let (user, password) = (user.to_owned(), password.to_owned());
        let url = format!("http://{host}/token/");
        let realm = Realm { url, service: host.to_owned(), user, password };
        Ok(Self { realm: Some(realm), ..Self::new(host)? })
    }

    /// Begins a request about a repository. `path` follows the name of the repository.
    async fn request(
        &self,
        method: Method,
        repository: &str,
        path: &str,
    ) -> anyhow::Result<RequestBuilder> {
        let request = self.http.request(method, format!("{}/{repository}/{path}", self.base));
        Ok(match &self.realm {
            Some(realm) => request.bearer_auth(realm.token(&self.http, repository).await?),
            None => request,
        })
    }

    /// Sends a HEAD request for a manifest.
    ///
    /// # Errors
    /// Fails if the registry does not answer.
    pub async fn head(&self, repository: &str, reference: &str) -> anyhow::Result<Response> {
        let path = format!("manifests/{reference}");
        let request = self.request(Method::HEAD, repository, &path).await?;
        Ok(request.header(ACCEPT, MANIFEST_MEDIA_TYPE).send().await?)
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
        let path = format!("manifests/{tag}");
        let request = self.request(Method::PUT, repository, &path).await?;
        let answer = request.header(CONTENT_TYPE, media_type).body(bytes).send().await?;
        ensure!(answer.status().is_success(), "pushing {repository}:{tag}: {}", answer.status());
        Ok(digest)
    }

    /// Returns the manifest of a tag.
    ///
    /// # Errors
    /// Fails if the registry does not have it.
    pub async fn manifest(&self, repository: &str, tag: &str) -> anyhow::Result<Value> {
        let path = format!("manifests/{tag}");
        let request = self.request(Method::GET, repository, &path).await?;
        let answer = request.header(ACCEPT, MANIFEST_MEDIA_TYPE).send().await?;
        let answer = answer.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Pushes a blob, unless the repository has it, and returns its digest.
    ///
    /// # Errors
    /// Fails if the registry refuses it.
    pub async fn push_blob(&self, repository: &str, bytes: &[u8]) -> anyhow::Result<Digest> {
        let digest = Digest::sha256(bytes);
        let blob = format!("blobs/{digest}");
        let known = self.request(Method::HEAD, repository, &blob).await?.send().await?;
        if known.status().is_success() {
            return Ok(digest);
        }
        let start = self.request(Method::POST, repository, "blobs/uploads/").await?;
        let started = start.send().await?;
        let location = started
            .headers()
            .get(LOCATION)
            .context("the registry names no upload")?
            .to_str()?
            .to_owned();
        // The upload uses this client's base address, because it has the password in it.
        let path = location.split_once(&format!("/v2/{repository}/"));
        let (_, path) = path.context("an upload elsewhere")?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}digest={digest}");
        let upload = self.request(Method::PUT, repository, &path).await?;
        let upload = upload.body(bytes.to_vec()).send().await?;
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
        let path = format!("manifests/{reference}");
        let answer = self.request(Method::DELETE, repository, &path).await?.send().await?;
        ensure!(
            answer.status().is_success(),
            "deleting {repository} {reference}: {}",
            answer.status()
        );
        Ok(())
    }
}

impl Realm {
    /// Gets a token to pull from a repository and to push to it.
    async fn token(&self, http: &reqwest::Client, repository: &str) -> anyhow::Result<String> {
        let scope = format!("repository:{repository}:pull,push");
        let url = format!("{}?service={}&scope={scope}", self.url, self.service);
        let answer = http.get(url).basic_auth(&self.user, Some(&self.password)).send().await?;
        let body = answer.error_for_status()?.bytes().await?;
        let answer: Value = serde_json::from_slice(&body)?;
        let token = answer.get("token").and_then(Value::as_str);
        Ok(token.context("the realm issued no token")?.to_owned())
    }
}
