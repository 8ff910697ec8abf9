//! Asks the API of a vendor for the pages of its lists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::time::Instant;
use url::Url;

use super::access_token::AccessToken;
use super::credentials::ListingCredentials;
use super::error::VendorError;
use super::vendor::Vendor;
use super::vendor_page::{Fingerprint, VendorPage};
use crate::oci::redact::redacted;
use crate::oci::transport::{ApiAnswer, ApiClient, ApiRequest};

/// Most pages in memory.
const PAGES_KEPT: usize = 256;

/// Most repositories of a page in memory. GitHub and Docker Hub put at most a hundred on a page.
const KEPT_REPOSITORIES_MAX: usize = 100;

/// A client for the lists of a vendor. Clones share their connections and what they remember.
#[derive(Debug, Clone)]
pub(super) struct VendorClient {
    pub(super) vendor: Vendor,
    pub(super) api: ApiClient,
    pub(super) credentials: Arc<ListingCredentials>,
    /// The setting `namespaces`.
    pub(super) namespaces: Arc<[String]>,
    /// The pages that the vendor sent with an `ETag`, by their path.
    kept: Arc<Mutex<HashMap<String, KeptPage>>>,
    /// What issues access tokens, if that is another server than the API.
    pub(super) issuer: Option<ApiClient>,
    access: Arc<tokio::sync::Mutex<Option<AccessToken>>>,
}

/// A page, and the `ETag` that shows whether it is still the same.
#[derive(Debug, Clone)]
struct KeptPage {
    etag: HeaderValue,
    page: VendorPage,
}

/// A successful answer.
pub(super) struct VendorReply {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    vendor: Vendor,
}

/// A page, and the time of the vendor's clock at which it was read.
#[derive(Debug)]
pub(super) struct DatedPage {
    pub(super) page: VendorPage,
    pub(super) read_at: OffsetDateTime,
}

impl VendorClient {
    pub(super) fn new(
        vendor: Vendor,
        api: ApiClient,
        credentials: ListingCredentials,
        namespaces: &[String],
    ) -> Self {
        let (credentials, namespaces) = (Arc::new(credentials), namespaces.into());
        let (kept, access, issuer) = (Arc::default(), Arc::default(), None);
        Self { vendor, api, credentials, namespaces, kept, issuer, access }
    }

    /// Gets access tokens from another server than the API.
    pub(super) fn with_issuer(self, issuer: ApiClient) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// Returns the same client with the deadline of one invocation.
    pub(super) fn until(&self, deadline: Instant) -> Self {
        let issuer = self.issuer.as_ref().map(|issuer| issuer.until(deadline));
        Self { api: self.api.until(deadline), issuer, ..self.clone() }
    }

    /// Returns the token for listing or the password, if there is one and it may be sent to the
    /// API.
    ///
    /// # Errors
    /// Fails if the API is neither on https nor on the same machine.
    pub(super) fn secret(&self) -> Result<Option<&str>, VendorError> {
        let secret = self.credentials.secret();
        if secret.is_some() && !self.api.is_safe_for_tokens() {
            return Err(self.cannot_ask(format!(
                "{} is not on https, so no token is sent there. Set oci.catalogUrl to an address \
                 on https",
                self.api.base()
            )));
        }
        Ok(secret)
    }

    /// Returns headers with a secret, if there is one.
    ///
    /// # Errors
    /// Fails if no header can carry the secret. Without it, a vendor would list what is public, and
    /// the list would seem complete.
    pub(super) fn headers_with(
        &self,
        name: HeaderName,
        secret: Option<&str>,
    ) -> Result<HeaderMap, VendorError> {
        let Some(secret) = secret else { return Ok(HeaderMap::new()) };
        let mut value = HeaderValue::from_str(secret).map_err(|_| {
            self.cannot_ask(
                "the token in the secret of oci.credentialsSecretArn has a character that no \
                 header can carry, such as a line end at its end: put only the token there"
                    .to_owned(),
            )
        })?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(name, value)]))
    }

    /// Returns the access token, which `fetch` gets if there is no valid one. Concurrent callers
    /// share one.
    ///
    /// # Errors
    /// Fails as `fetch`.
    pub(super) async fn access(
        &self,
        fetch: impl AsyncFnOnce() -> Result<AccessToken, VendorError>,
    ) -> Result<String, VendorError> {
        let mut access = self.access.lock().await;
        if let Some(token) = access.as_ref().filter(|token| token.is_valid()) {
            return Ok(token.text.clone());
        }
        let token = fetch().await?;
        let text = token.text.clone();
        *access = Some(token);
        Ok(text)
    }

    /// Forgets an access token that was refused.
    pub(super) async fn forget_access(&self) {
        *self.access.lock().await = None;
    }

    /// Makes the error about settings that are not enough.
    pub(super) fn cannot_ask(&self, remedy: String) -> VendorError {
        VendorError::CannotAsk { vendor: self.vendor, remedy }
    }

    /// Sends a GET request. `remedy` explains an answer that is no success.
    ///
    /// # Errors
    /// Fails if there is no answer, or if it is no success.
    pub(super) async fn get(
        &self,
        path: &str,
        headers: HeaderMap,
        remedy: impl Fn(&ApiAnswer) -> String,
    ) -> Result<VendorReply, VendorError> {
        self.secret()?;
        let answer = self.api.send(&ApiRequest::get(path, with_accept(headers))).await?;
        if answer.status.is_success() {
            return Ok(self.reply(answer));
        }
        Err(self.refused("GET", &answer, remedy(&answer)))
    }

    /// Requests a page, and reads it with `read`. Keeps it if the vendor sends an `ETag`, so that
    /// the same page costs less the next time.
    ///
    /// # Errors
    /// As [`VendorClient::get`], and if `read` fails.
    pub(super) async fn get_page(
        &self,
        path: &str,
        mut headers: HeaderMap,
        remedy: impl Fn(&ApiAnswer) -> String,
        read: impl Fn(&VendorReply) -> Result<VendorPage, VendorError>,
    ) -> Result<DatedPage, VendorError> {
        self.secret()?;
        let kept = self.kept().get(path).cloned();
        if let Some(kept) = &kept {
            headers.insert(IF_NONE_MATCH, kept.etag.clone());
        }
        let answer = self.api.send(&ApiRequest::get(path, with_accept(headers))).await?;
        let read_at = date_of(&answer.headers);
        match kept {
            Some(kept) if answer.status == StatusCode::NOT_MODIFIED => {
                return Ok(DatedPage { page: kept.page, read_at });
            }
            _ if answer.status.is_success() => {}
            _ => return Err(self.refused("GET", &answer, remedy(&answer))),
        }
        let etag = answer.headers.get(ETAG).cloned();
        let reply = self.reply(answer);
        let page = VendorPage { fingerprint: Fingerprint::of(&reply.body), ..read(&reply)? };
        if let Some(etag) = etag.filter(|_| page.repositories.len() <= KEPT_REPOSITORIES_MAX) {
            self.keep(path, KeptPage { etag, page: page.clone() });
        }
        Ok(DatedPage { page, read_at })
    }

    /// Makes the error of an answer that is no success.
    pub(super) fn refused(&self, method: &str, answer: &ApiAnswer, remedy: String) -> VendorError {
        let call = format!("{method} {}", redacted(&answer.url));
        VendorError::Refused { vendor: self.vendor, call, status: answer.status, remedy }
    }

    fn reply(&self, answer: ApiAnswer) -> VendorReply {
        let ApiAnswer { url, headers, body, .. } = answer;
        VendorReply { url, headers, body, vendor: self.vendor }
    }

    fn keep(&self, path: &str, page: KeptPage) {
        let mut kept = self.kept();
        if kept.len() >= PAGES_KEPT && !kept.contains_key(path) {
            kept.clear();
        }
        kept.insert(path.to_owned(), page);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, KeptPage>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VendorReply {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Fails if it has another shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, VendorError> {
        serde_json::from_slice(&self.body).map_err(|source| VendorError::Malformed {
            vendor: self.vendor,
            call: format!("GET {}", redacted(&self.url)),
            source,
        })
    }
}

fn with_accept(mut headers: HeaderMap) -> HeaderMap {
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
    headers
}

/// Returns the time of the answer by the vendor's clock, because the marks have its times.
fn date_of(headers: &HeaderMap) -> OffsetDateTime {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    date.map_or_else(OffsetDateTime::now_utc, OffsetDateTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::transport::{AllowedAddresses, Connections, Login};

    fn client(base: &str) -> VendorClient {
        let tls = crate::tls::client_config(None).unwrap();
        let connections = Connections::new(tls, AllowedAddresses::default());
        let registry = connections.client(base.parse().unwrap(), Login::Anonymous, 1).unwrap();
        let api = connections.api(base.parse().unwrap(), &registry).unwrap();
        let (username, password) = (Some("x".to_owned()), Some("y".to_owned()));
        let credentials = ListingCredentials { username, password, token: None };
        VendorClient::new(Vendor::Harbor, api, credentials, &[])
    }

    /// Case from the field 24.
    #[tokio::test]
    async fn token_that_no_header_can_carry_is_an_error_that_does_not_show_it() {
        let client = client("https://harbor.example.com");
        let headers = |secret| client.headers_with(HeaderName::from_static("x-token"), secret);
        assert_eq!(headers(Some("glpat-x")).unwrap()["x-token"], "glpat-x");
        assert!(headers(None).unwrap().is_empty());
        for secret in ["glpat-x\n", "glpat-\u{7f}x"] {
            let error = headers(Some(secret)).unwrap_err().to_string();
            assert!(error.contains("oci.credentialsSecretArn"), "{error}");
            assert!(!error.contains("glpat"), "{error}");
        }
    }

    #[tokio::test]
    async fn secret_is_sent_over_https_or_to_the_same_machine_only() {
        for (base, is_sent) in [
            ("https://harbor.example.com", true),
            ("http://127.0.0.1:1", true),
            ("http://localhost:1", true),
            ("http://harbor.example.com", false),
            ("http://10.0.0.5", false),
        ] {
            let client = client(base);
            assert_eq!(client.secret().is_ok(), is_sent, "{base}");
            if !is_sent {
                let asked = client.get("/x", HeaderMap::new(), |_| String::new()).await;
                let error = asked.err().map(|error| error.to_string()).unwrap_or_default();
                assert!(error.contains("is not on https"), "{error}");
            }
        }
    }
}
