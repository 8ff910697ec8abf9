//! `GET` and `HEAD /v2/<name>/manifests/<reference>`: distribution specification, section "Pulling
//! manifests".

use std::borrow::Cow;
use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::Error;
use super::limits::MANIFEST_LIMIT;
use super::redact::redacted;
use super::transport::{Client, RegistryReply, RegistryRequest, RequestPermit, Scope};
use crate::domain::{Digest, Reference, Repository};

/// The media types of an image index.
const INDEX_MEDIA_TYPES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Without the OCI types, Docker Distribution answers 404 for a chart. Without the other types, a
/// registry may convert the manifest.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.oci.image.index.v1+json, \
                      application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json";

/// The media type of a manifest of Docker's first schema, which has none in its body.
const SCHEMA_1_MEDIA_TYPE: &str = "application/vnd.docker.distribution.manifest.v1+json";

/// A manifest with the digest of its bytes. An image manifest has a config and layers. An image
/// index has a list of manifests instead.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The digest: the requested one, or else the one that the registry sent, or else the SHA-256
    /// of the bytes. It is verified, except in [`FetchedManifest::Mismatched`].
    pub digest: Digest,
    /// The media type in the body, or else the answer's `Content-Type`. Helm's manifests have none
    /// in the body.
    pub media_type: Option<String>,
    /// The artifact type, a field that OCI 1.1 added.
    pub artifact_type: Option<String>,
    /// The config descriptor.
    pub config: Option<Descriptor>,
    /// The layer descriptors.
    pub layers: Vec<Descriptor>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
    /// The manifests that an image index lists. `None` for any other manifest.
    pub manifests: Option<Vec<Descriptor>>,
}

/// The answer to a request for a manifest.
#[derive(Debug)]
pub enum FetchedManifest {
    /// The digest matches the bytes.
    Verified(Manifest),
    /// The digest does not match the bytes, or cannot be verified. Old artifacts have such digests.
    /// What the manifest says may only be used to see that it needs no trust.
    Mismatched {
        /// The manifest, with the claimed digest.
        manifest: Manifest,
        /// The mismatch.
        error: Error,
    },
}

/// A descriptor of some content: its media type, digest and size (image specification, "Content
/// Descriptors"). None of its fields has been verified.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    #[serde(default)]
    pub media_type: String,
    /// The digest as the manifest writes it, which may be no valid digest.
    #[serde(default)]
    pub digest: String,
    /// The size in bytes, as the manifest claims.
    #[serde(default)]
    pub size: u64,
    /// The artifact type of a manifest that an index lists, a field that OCI 1.1 added.
    pub artifact_type: Option<String>,
    /// The platform that an image in an index is for.
    pub platform: Option<Platform>,
}

/// A platform of an image index.
#[derive(Debug, Clone, Deserialize)]
pub struct Platform {
    /// The operating system. It is `unknown` if the manifest is not a container image.
    #[serde(default)]
    pub os: String,
    /// The architecture. A container image always has one.
    #[serde(default)]
    pub architecture: String,
}

/// Fields that a manifest may have. A body with none of them is no manifest.
const MANIFEST_FIELDS: [&str; 8] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "fsLayers",
    "blobs",
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestBody {
    schema_version: Option<Value>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    annotations: Option<BTreeMap<String, String>>,
    manifests: Option<Vec<Descriptor>>,
}

/// What a registry says of a manifest without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHead {
    /// The digest that the registry claims; `None` if it names none. It is not verified, so it may
    /// show that a tag has moved, but it is never stored.
    pub digest: Option<Digest>,
    /// Whether it is an image index, whose manifests may come and go without a change of digest.
    pub is_index: bool,
}

impl Client {
    /// Returns the manifest that a tag or digest resolves to now. Safe to repeat.
    ///
    /// # Errors
    ///
    /// [`Error::is_manifest_unknown`] if there is none. [`Error::DigestMismatch`] if the bytes
    /// match neither the requested digest nor `Docker-Content-Digest`.
    pub async fn get_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Manifest, Error> {
        match self.fetch_manifest(repository, reference).await? {
            FetchedManifest::Verified(manifest) => Ok(manifest),
            FetchedManifest::Mismatched { error, .. } => Err(error),
        }
    }

    /// Returns the manifest that a tag or digest resolves to now, even if its digest does not
    /// match. Safe to repeat.
    ///
    /// # Errors
    ///
    /// As [`Client::get_manifest`], except for a mismatch.
    pub async fn fetch_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<FetchedManifest, Error> {
        let url = self.manifest_url(repository, reference);
        let shown = redacted(&url);
        let answer = self.send_for(&Method::GET, &url, repository, MANIFEST_LIMIT).await?;
        let content_type = header(&answer.headers, "content-type");
        let claimed = claimed_digest(&answer.headers, &shown);
        let digest = ManifestDigest::of(&answer.body, reference, claimed, &shown);
        let body = match (parse(&answer.body), &digest.mismatch) {
            (Ok(body), _) => body,
            // Bytes that are neither JSON nor what they are called are another mismatch.
            (Err(_), Some(_)) => ManifestBody::default(),
            (Err(source), None) => return Err(Error::Malformed { url: shown, source }),
        };
        let is_schema_1 = body.schema_version == Some(Value::from(1));
        let schema_1 = is_schema_1.then(|| SCHEMA_1_MEDIA_TYPE.to_owned());
        let manifest = Manifest {
            digest: digest.digest,
            media_type: body.media_type.or(schema_1).or(content_type),
            artifact_type: body.artifact_type,
            config: body.config,
            layers: body.layers.unwrap_or_default(),
            annotations: body.annotations.unwrap_or_default(),
            manifests: body.manifests,
        };
        Ok(match digest.mismatch {
            None => FetchedManifest::Verified(manifest),
            Some(error) => FetchedManifest::Mismatched { manifest, error },
        })
    }

    /// Returns what the registry says of the manifest that a tag or digest resolves to now. Costs
    /// much less than the manifest.
    ///
    /// # Errors
    ///
    /// Never [`Error::is_manifest_unknown`], because a 404 to HEAD has no body with an error code.
    /// Call `get_manifest` to find out.
    pub async fn head_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<ManifestHead, Error> {
        let url = self.manifest_url(repository, reference);
        let answer = self.send_for(&Method::HEAD, &url, repository, 0).await?;
        let digest = claimed_digest(&answer.headers, &redacted(&url))?;
        let media_type = header(&answer.headers, "content-type").unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let is_index = INDEX_MEDIA_TYPES.iter().any(|index| essence.eq_ignore_ascii_case(index));
        Ok(ManifestHead { digest, is_index })
    }

    async fn send_for(
        &self,
        method: &Method,
        url: &Url,
        repository: &Repository,
        limit: usize,
    ) -> Result<RegistryReply, Error> {
        let scope = Scope::Repository(repository);
        let permit = RequestPermit::Usual;
        self.send(RegistryRequest { method, url, accept: ACCEPT, scope, permit }, limit).await
    }

    fn manifest_url(&self, repository: &Repository, reference: &Reference) -> Url {
        self.endpoint(&[repository.as_str(), "manifests", reference.as_str()], None)
    }
}

/// Accepts a manifest with odd fields as one without a config, which is no chart. Fails if the
/// bytes are not complete JSON, because then the transfer went wrong. Fails too if the body has no
/// field of a manifest, because then something else than the registry answered, such as a page that
/// announces maintenance.
fn parse(bytes: &[u8]) -> Result<ManifestBody, serde_json::Error> {
    #[expect(clippy::zero_sized_map_values, reason = "a set cannot be read from an object")]
    let fields: BTreeMap<Cow<'_, str>, IgnoredAny> = serde_json::from_slice(bytes)?;
    if !MANIFEST_FIELDS.iter().any(|field| fields.contains_key(*field)) {
        return Err(serde::de::Error::custom("the body has no field of a manifest"));
    }
    match serde_json::from_slice(bytes) {
        Err(error) if error.is_data() => Ok(ManifestBody::default()),
        other => other,
    }
}

/// Reads the digest that the registry claims. Some registries quote it, write it in upper case, or
/// send an empty header, which counts as none.
fn claimed_digest(headers: &HeaderMap, url: &str) -> Result<Option<Digest>, Error> {
    let text = header(headers, "docker-content-digest").unwrap_or_default();
    let text = text.trim().trim_matches('"').to_ascii_lowercase();
    if text.is_empty() {
        return Ok(None);
    }
    let digest = text.parse();
    digest.map(Some).map_err(|source| Error::UnverifiableDigest { url: url.to_owned(), source })
}

/// The digest of some bytes, and the reason not to trust it.
struct ManifestDigest {
    digest: Digest,
    mismatch: Option<Error>,
}

impl ManifestDigest {
    /// Verifies the bytes against the requested digest and the claimed one. Computes a digest if
    /// there is neither.
    fn of(
        bytes: &[u8],
        reference: &Reference,
        claimed: Result<Option<Digest>, Error>,
        url: &str,
    ) -> Self {
        let asked_for = match reference {
            Reference::Digest(digest) => Some(digest.clone()),
            Reference::Tag(_) => None,
        };
        let (claimed, unverifiable) = match claimed {
            Ok(claimed) => (claimed, None),
            Err(error) => (None, Some(error)),
        };
        let wrong = asked_for.iter().chain(&claimed).find(|digest| !digest.matches(bytes));
        let mismatch = wrong.map(|digest| Error::DigestMismatch {
            url: url.to_owned(),
            claimed: digest.to_string(),
            computed: Digest::sha256(bytes).to_string(),
        });
        let mismatch = mismatch.or(unverifiable);
        let digest = asked_for.or(claimed).unwrap_or_else(|| Digest::sha256(bytes));
        Self { digest, mismatch }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(reference: &str, claimed: Option<&str>) -> Option<String> {
        let reference = match reference.parse::<Digest>() {
            Ok(digest) => Reference::Digest(digest),
            Err(_) => Reference::Tag(reference.parse().ok()?),
        };
        let headers =
            claimed.map(|text| ("docker-content-digest".parse().unwrap(), text.parse().unwrap()));
        let claimed = claimed_digest(&headers.into_iter().collect(), "url");
        let found = ManifestDigest::of(b"", &reference, claimed, "url");
        found.mismatch.is_none().then(|| found.digest.to_string())
    }

    /// Hostile input 33.
    #[test]
    fn other_json_is_not_a_chart_and_truncated_json_is_an_error() {
        for other in
            [r#"{"config":{"size":-1}}"#, r#"{"config":{"mediaType":null}}"#, r#"{"layers":1}"#]
        {
            assert!(parse(other.as_bytes()).is_ok_and(|body| body.config.is_none()), "{other}");
        }
        for wrong in ["", "<html>", r#"{"config":{"size":-1}"#, r#"{"config""#] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn body_without_a_field_of_a_manifest_is_an_error() {
        for other in ["[]", "3", "null", "{}", r#"{"status":"maintenance"}"#, r#"{"errors":[]}"#] {
            assert!(parse(other.as_bytes()).is_err(), "{other}");
        }
        assert!(parse(br#"{"schemaVersion":2}"#).is_ok());
    }

    /// Hostile input 17.
    #[test]
    fn digest_is_accepted_only_if_it_matches_the_bytes() {
        let right = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let wrong = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        let (quoted, upper) = (format!("\"{right}\""), right.to_uppercase());
        let table = [
            ("1.0", None, Some(right)),
            ("1.0", Some(right), Some(right)),
            ("1.0", Some(wrong), None),
            (right, None, Some(right)),
            (right, Some(wrong), None),
            (wrong, Some(wrong), None),
            (wrong, None, None),
            // Case from the field 7.
            ("1.0", Some(""), Some(right)),
            ("1.0", Some("\"\""), Some(right)),
            ("1.0", Some(&quoted), Some(right)),
            ("1.0", Some(&upper), Some(right)),
            ("1.0", Some("md5:d41d8cd98f00b204e9800998ecf8427e"), None),
            ("1.0", Some("nonsense"), None),
        ];
        for (reference, claimed, digest) in table {
            assert_eq!(verify(reference, claimed).as_deref(), digest, "{reference} {claimed:?}");
        }
    }
}
