//! The registry client with Docker Distribution, and with a registry that sends wrong answers.

use serde_json::json;
use shared::domain::{Digest, Reference, Repository};
use shared::oci::{Blob, Client, Error};
use tests::push::Pusher;
use tests::registry::Registry;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_client::anonymous as client;

#[tokio::test]
async fn head_and_get_agree_and_blob_equals_the_pushed_one() {
    let registry = Registry::start().await.unwrap();
    let pusher = Pusher::new(registry.host()).unwrap();
    let pushed = pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    let client = client(&registry.url().unwrap().to_string());
    let repository = "demo/hello".parse().unwrap();
    let tag = Reference::Tag("1.0.0".parse().unwrap());

    assert_eq!(client.get_manifest(&repository, &tag).await.unwrap().digest, pushed);
    assert_eq!(client.head_manifest(&repository, &tag).await.unwrap().digest, Some(pushed.clone()));
    let by_digest = client.get_manifest(&repository, &Reference::Digest(pushed)).await.unwrap();
    let config: Digest = by_digest.config.unwrap().digest.parse().unwrap();
    assert_eq!(read_blob(&client, &repository, &config, 2).await.unwrap(), b"{}");
    let cut = read_blob(&client, &repository, &config, 1).await;
    assert!(matches!(cut, Err(Error::TooLarge { limit: 1, .. })), "{cut:?}");
}

#[tokio::test]
async fn absent_manifest_is_distinguished_from_a_fault() {
    let registry = Registry::start().await.unwrap();
    let client = client(&registry.url().unwrap().to_string());
    let repository = "demo/hello".parse().unwrap();
    let error = client
        .get_manifest(&repository, &Reference::Tag("1.0.0".parse().unwrap()))
        .await
        .unwrap_err();
    assert!(error.is_manifest_unknown(), "{error}");
}

#[tokio::test]
async fn blob_with_other_bytes_is_refused() {
    let fake = FakeRegistry::start().await;
    let digest = Digest::sha256(b"what was asked for");
    fake.answer(&format!("/v2/a/blobs/{digest}"), json!("something else"));
    let client = client(&fake.url());
    let error = read_blob(&client, &"a".parse().unwrap(), &digest, 1000).await.unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
}

/// Hostile input 24.
#[tokio::test]
async fn redirect_to_a_private_address_is_not_followed() {
    let (fake, elsewhere) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let digest = Digest::sha256(b"content");
    let path = format!("/v2/a/blobs/{digest}");
    elsewhere.answer(&path, json!("content"));
    fake.answer(&path, json!(""))
        .status(307)
        .header("location", &format!("{}{path}", elsewhere.url()));
    let client = client(&fake.url());
    let error = read_blob(&client, &"a".parse().unwrap(), &digest, 1000).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1 is not on the public internet"), "{error}");
    assert!(elsewhere.asked().is_empty());

    fake.answer(&path, json!("")).status(307).header("location", "/content");
    fake.answer("/content", json!("content"));
    assert_eq!(read_blob(&client, &"a".parse().unwrap(), &digest, 1000).await.unwrap(), b"content");
}

/// Hostile input 20.
#[tokio::test]
async fn endless_manifest_is_cut_at_the_limit() {
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/a/manifests/1.0.0", json!("")).endless();
    let client = client(&fake.url());
    let reference = Reference::Tag("1.0.0".parse().unwrap());
    let error = client.get_manifest(&"a".parse().unwrap(), &reference).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

async fn read_blob(
    client: &Client,
    repository: &Repository,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<u8>, shared::oci::Error> {
    let read = async |blob: &mut Blob| {
        let mut bytes = Vec::new();
        while let Some(piece) = blob.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    let (size, bytes) = client.get_blob(repository, digest, limit, read).await?;
    assert_eq!(size, bytes.len() as u64);
    Ok(bytes)
}
