//! `GET /v2/<name>/blobs/<digest>`: distribution specification, section "Pulling blobs".

use bytes::Bytes;
use reqwest::{Method, Response};

use super::error::Error;
use super::redact::redacted;
use super::transport::{Client, RegistryRequest, RequestPermit, Scope};
use crate::domain::{Digest, Repository, Verifier};

/// A blob while it is read.
#[derive(Debug)]
pub struct Blob {
    response: Response,
    verifier: Verifier,
    size: usize,
    limit: usize,
}

impl Client {
    /// Passes a blob to `read`, and returns its result with the blob's size. Safe to repeat. `read`
    /// may stop before the end. If the connection breaks, the client calls `read` again.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the blob has more than `limit` bytes, whatever length the registry
    /// announced. [`Error::DigestMismatch`] if the bytes do not match the digest.
    pub async fn get_blob<T>(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
        read: impl AsyncFn(&mut Blob) -> Result<T, Error>,
    ) -> Result<(u64, T), Error> {
        let url = self.endpoint(&[repository.as_str(), "blobs", digest.as_str()], None);
        let read = &read;
        let read = |response| async move {
            let mut blob = Blob { response, verifier: Verifier::of(digest), size: 0, limit };
            let value = read(&mut blob).await?;
            Ok((blob.finish(digest).await?, value))
        };
        let request = RegistryRequest {
            method: &Method::GET,
            url: &url,
            accept: "*/*",
            scope: Scope::Repository(repository),
            permit: RequestPermit::First,
        };
        self.request(request, read).await
    }
}

impl Blob {
    /// Returns the next bytes, in pieces as they arrive.
    ///
    /// # Errors
    ///
    /// Fails if the connection breaks, or if the blob exceeds the limit.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = self.response.chunk().await;
        let piece =
            piece.map_err(|error| Error::no_answer(Method::GET, self.response.url(), error))?;
        if let Some(piece) = &piece {
            self.size += piece.len();
            if self.size > self.limit {
                return Err(Error::TooLarge {
                    url: redacted(self.response.url()),
                    limit: self.limit,
                });
            }
            self.verifier.update(piece);
        }
        Ok(piece)
    }

    /// Reads the rest, and returns the size.
    async fn finish(mut self, claimed: &Digest) -> Result<u64, Error> {
        while self.next().await?.is_some() {}
        let url = redacted(self.response.url());
        let mismatch =
            |computed| Error::DigestMismatch { url, claimed: claimed.to_string(), computed };
        self.verifier.finish().map_err(mismatch)?;
        Ok(self.size as u64)
    }
}
