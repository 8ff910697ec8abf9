//! Reads the body of an answer within a limit.

use reqwest::{Method, Response};

use crate::oci::error::Error;
use crate::oci::redact::redacted;

/// Reads a body of at most `limit` bytes, whatever length it claims to have.
pub(super) async fn read_up_to(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let url = response.url().clone();
    let mut body = Vec::new();
    loop {
        let chunk =
            response.chunk().await.map_err(|error| Error::no_answer(Method::GET, &url, error))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > limit {
            return Err(Error::TooLarge { url: redacted(&url), limit });
        }
        body.extend_from_slice(&chunk);
    }
}
