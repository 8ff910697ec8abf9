//! What every verb shares: one HTTP client with a deadline, bodies read up to a limit, redirects kept to one origin.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};

use super::Error;
use super::error::codes_in;
use crate::domain::RegistryUrl;

/// Total time one request may take, its body included. Long enough for a 32 MiB layer at 10 Mbit/s; short enough that
/// a registry that sends a byte a second costs one slot for half a minute.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Time for the connection alone: a black-holed address should not use up the whole deadline.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How many redirects one request may follow. Registries use one.
const REDIRECTS: usize = 3;

/// How much of a refusal's body is read to find the error code in it, in bytes.
const ERROR_BODY_LIMIT: usize = 16 * 1024;

/// The connections and settings that the clients of all registries share.
#[derive(Debug, Clone)]
pub struct Connections(reqwest::Client);

/// Anonymous access to one registry. Cheap to make and to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: RegistryUrl,
}

impl Connections {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When the TLS settings cannot be used.
    pub fn new(tls: rustls::ClientConfig) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(REQUEST_DEADLINE)
            .redirect(Policy::custom(same_origin_only))
            .user_agent(concat!("helm-chart-discovery/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Client(error.into()))?;
        Ok(Self(http))
    }

    /// A client for the registry at `base`.
    #[must_use]
    pub fn client(&self, base: RegistryUrl) -> Client {
        Client { http: self.0.clone(), base }
    }
}

impl Client {
    /// The address of `/v2/<segments>`; a segment may be a repository name with slashes.
    pub(crate) fn endpoint(&self, segments: &[&str], query: Option<&str>) -> Url {
        self.base.endpoint(&[&["v2"], segments].concat(), query)
    }

    /// Sends one request and gives its answer when that is a success.
    pub(crate) async fn send(&self, method: Method, url: Url, accept: &str) -> Result<Response, Error> {
        let shown = redacted(&url);
        let answer = self.http.request(method.clone(), url).header("accept", accept).send().await;
        let response = answer.map_err(|error| Error::NoAnswer {
            method: method.clone(),
            url: shown.clone(),
            source: error.into(),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read_up_to(response, ERROR_BODY_LIMIT).await.unwrap_or_default();
        Err(Error::Status { method, url: shown, status, codes: codes_in(&body) })
    }
}

/// Reads a body of at most `limit` bytes, whatever length it claims to have.
pub(crate) async fn read_up_to(mut response: Response, limit: usize) -> Result<Vec<u8>, Error> {
    let url = redacted(response.url());
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| Error::NoAnswer {
            method: Method::GET,
            url: url.clone(),
            source: error.into(),
        })?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len() + chunk.len() > limit {
            return Err(Error::TooLarge { url, limit });
        }
        body.extend_from_slice(&chunk);
    }
}

/// An address without its query: signed URLs and page positions do not belong in messages.
pub(crate) fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// Redirects to another host are refused until addresses are checked where the connection is made: a registry could
/// otherwise send us to any host that this network reaches.
fn same_origin_only(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let leaves = attempt.previous().first().is_none_or(|first| first.origin() != attempt.url().origin());
    if leaves {
        attempt.error("redirect to another host refused")
    } else if attempt.previous().len() > REDIRECTS {
        attempt.error("too many redirects")
    } else {
        attempt.follow()
    }
}
