//! `GET /v2/<name>/blobs/<digest>`: distribution specification, section "Pulling blobs".

use reqwest::Method;

use super::auth::Scope;
use super::transport::redacted;
use super::{Client, Error};
use crate::domain::{Digest, Repository};

impl Client {
    /// The bytes of a blob, verified against its digest. Safe to repeat.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past `limit` bytes, whatever length the registry announced; [`Error::DigestMismatch`] when
    /// the bytes are not the ones asked for.
    pub async fn get_blob(&self, repository: &Repository, digest: &Digest, limit: usize) -> Result<Vec<u8>, Error> {
        let url = self.endpoint(&[repository.as_str(), "blobs", digest.as_str()], None);
        let body = self.send(&Method::GET, &url, "*/*", Scope::Repository(repository), limit).await?.body;
        if !digest.matches(&body) {
            let computed = Digest::sha256(&body).to_string();
            return Err(Error::DigestMismatch { url: redacted(&url), claimed: digest.to_string(), computed });
        }
        Ok(body)
    }
}
