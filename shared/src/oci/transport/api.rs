//! Sends requests to the API of a registry's vendor, which lists repositories where the registry
//! itself does not. The API may be on another host, so it has credentials and a pace of its own.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout};

use super::body::read_up_to;
use super::pace::{Pace, RequestCounts, RequestPermit, retry_after};
use super::reach::{Reach, is_safe_for_passwords};
use crate::domain::RegistryUrl;
use crate::oci::error::Error;
use crate::oci::limits::{
    API_LIMIT, ATTEMPTS, CLOSED_MAX, CLOSED_USUAL, PAUSE, REDIRECTS, REQUEST_DEADLINE,
};
use crate::oci::redact::redacted;

/// A client for the API of a vendor. Clones share their connections and their pace.
#[derive(Debug, Clone)]
pub(in crate::oci) struct ApiClient {
    base: RegistryUrl,
    reach: Arc<Reach>,
    pace: Arc<Pace>,
    deadline: Option<Instant>,
}

/// A request to the API.
#[derive(Debug)]
pub(in crate::oci) struct ApiRequest<'a> {
    pub(in crate::oci) method: Method,
    /// The path behind the API's address, and the query.
    pub(in crate::oci) path: &'a str,
    pub(in crate::oci) headers: HeaderMap,
    pub(in crate::oci) body: Option<String>,
}

/// An answer of the API, whatever its status is.
pub(in crate::oci) struct ApiAnswer {
    pub(in crate::oci) url: Url,
    pub(in crate::oci) status: StatusCode,
    pub(in crate::oci) headers: HeaderMap,
    pub(in crate::oci) body: Vec<u8>,
}

/// The headers with which vendors say how many requests are left, and the Unix time from which on
/// there are more: GitHub's and Docker Hub's, and GitLab's.
const LIMITS: [[&str; 2]; 2] =
    [["x-ratelimit-remaining", "x-ratelimit-reset"], ["ratelimit-remaining", "ratelimit-reset"]];

/// Docker Hub's header with the Unix time from which on it accepts requests.
const RETRY_AT: &str = "x-retry-after";

impl ApiClient {
    pub(super) fn new(base: RegistryUrl, reach: Reach, pace: Arc<Pace>) -> Self {
        Self { base, reach: Arc::new(reach), pace, deadline: None }
    }

    /// Returns the same client with the deadline of one invocation.
    pub(in crate::oci) fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Returns the API's address.
    pub(in crate::oci) fn base(&self) -> &RegistryUrl {
        &self.base
    }

    /// Returns whether only the API can read a token that is sent to it.
    pub(in crate::oci) fn is_safe_for_tokens(&self) -> bool {
        is_safe_for_passwords(self.base.url())
    }

    /// Returns the time before which the API accepts no request, if it is in the future.
    pub(in crate::oci) fn closed_until(&self) -> Option<Instant> {
        self.pace.closed_until()
    }

    /// Returns the request counts since the last call. Those of a pace that is shared with the
    /// registry are the registry's.
    pub(in crate::oci) fn take_counts(&self) -> RequestCounts {
        self.pace.take_counts()
    }

    /// Sends no request before this time.
    pub(in crate::oci) fn close_until(&self, until: Instant) {
        self.pace.close_until(until);
    }

    /// Sends a request. Follows redirects inside the API's own address only, so that a token never
    /// reaches another host. Repeats a GET request that meets a transient fault.
    ///
    /// # Errors
    /// Fails if there is no answer. An answer that is no success is returned.
    pub(in crate::oci) async fn send(&self, request: &ApiRequest<'_>) -> Result<ApiAnswer, Error> {
        let mut attempt = 1;
        loop {
            let outcome = self.send_once(request).await;
            let is_transient = match &outcome {
                Ok(answer) => answer.status.is_server_error() && !self.is_closed(),
                Err(error) => error.is_transient(),
            };
            let is_repeatable = request.method == Method::GET && attempt < ATTEMPTS;
            let pause = PAUSE * 2_u32.pow(attempt - 1);
            let has_time = self.deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
            if !(is_transient && is_repeatable && has_time) {
                return outcome;
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, request: &ApiRequest<'_>) -> Result<ApiAnswer, Error> {
        let _slot = self
            .pace
            .enter(RequestPermit::Usual, self.deadline)
            .await
            .map_err(|closed| self.asked_to_wait(closed.until))?;
        let url = self.address(request.path);
        let limit = self.time_limit();
        let late =
            || Error::TimedOut { method: request.method.clone(), url: redacted(&url), limit };
        timeout(limit, self.exchange(request, url.clone())).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&self, request: &ApiRequest<'_>, url: Url) -> Result<ApiAnswer, Error> {
        let mut url = url;
        for _ in 0..=REDIRECTS {
            let client = self.reach.client_for(&url)?;
            let mut sending = client
                .request(request.method.clone(), url.clone())
                .headers(request.headers.clone());
            if let Some(body) = &request.body {
                sending = sending.body(body.clone());
            }
            self.pace.count();
            let response = sending
                .send()
                .await
                .map_err(|error| Error::no_answer(request.method.clone(), &url, error))?;
            match target_of(&url, &response) {
                Some(target) if self.reach.is_own(&target) => url = target,
                Some(target) => return Err(leads_elsewhere(&url, &target)),
                None => return self.take(url, response).await,
            }
        }
        Err(Error::TooManyRedirects { url: redacted(&url) })
    }

    async fn take(&self, url: Url, response: Response) -> Result<ApiAnswer, Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        self.learn(status, &headers);
        let body = read_up_to(response, API_LIMIT).await?;
        Ok(ApiAnswer { url, status, headers, body })
    }

    /// Closes the API if it limits the rate of requests, and learns its pace.
    fn learn(&self, status: StatusCode, headers: &HeaderMap) {
        self.pace.learn(status, headers, CLOSED_MAX);
        if let Some(wait) = pause_after(status, headers, SystemTime::now()) {
            self.pace.close_until(Instant::now() + wait.min(CLOSED_MAX));
        }
    }

    fn is_closed(&self) -> bool {
        self.pace.closed_until().is_some()
    }

    /// Returns the API's address of a path, which begins with a slash and may have a query.
    fn address(&self, path: &str) -> Url {
        let mut url = self.base.url().clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        let path = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(query);
        url
    }

    /// Returns the time limit of a request: at most half of the time that is left.
    fn time_limit(&self) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(REQUEST_DEADLINE, |left| (left / 2).min(REQUEST_DEADLINE))
    }

    fn asked_to_wait(&self, until: Instant) -> Error {
        let until = SystemTime::now() + until.saturating_duration_since(Instant::now());
        Error::AskedToWait { host: self.base.to_string(), until: until.into() }
    }
}

impl ApiRequest<'_> {
    /// Makes a GET request.
    pub(in crate::oci) fn get(path: &str, headers: HeaderMap) -> ApiRequest<'_> {
        ApiRequest { method: Method::GET, path, headers, body: None }
    }
}

/// Returns how long a vendor wants no request, if an answer says so.
fn pause_after(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let from_unix = |seconds: &str| {
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds.trim().parse().ok()?))?;
        Some(at.duration_since(now).unwrap_or_default())
    };
    // GitHub answers 403 too, so that only a header tells it from a lack of rights.
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
    if !is_limited && status != StatusCode::FORBIDDEN {
        return None;
    }
    let resets = LIMITS.iter().find_map(|[remaining, reset]| {
        let is_used_up = text(remaining).is_none_or(|left| left.trim() == "0");
        from_unix(text(reset)?).filter(|_| is_used_up)
    });
    text(RETRY_AT)
        .and_then(from_unix)
        .or_else(|| text(RETRY_AFTER.as_str()).and_then(retry_after))
        .or(resets)
        .or(is_limited.then_some(CLOSED_USUAL))
}

fn target_of(url: &Url, response: &Response) -> Option<Url> {
    let target = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    url.join(target?.to_str().ok()?).ok()
}

fn leads_elsewhere(url: &Url, target: &Url) -> Error {
    let host = target.host_str().unwrap_or_default();
    let reason = format!("it leads to {host}, where the listing token must not go");
    Error::AddressRefused { url: redacted(url), reason }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    /// Case from the field 17.
    #[test]
    fn limits_of_vendors_are_read_from_their_headers() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let table: [(u16, Headers<'_>, Option<u64>); 11] = [
            (429, &[("retry-after", "30")], Some(30)),
            (429, &[("x-retry-after", "1000090"), ("retry-after", "1")], Some(90)),
            (429, &[("x-retry-after", "999999")], Some(0)),
            (429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000600")], Some(600)),
            (429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "1000007")], Some(7)),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000600")], Some(600)),
            (403, &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1000600")], None),
            (403, &[("retry-after", "60")], Some(60)),
            (403, &[], None),
            (429, &[("x-retry-after", "soon")], Some(60)),
            (200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000600")], None),
        ];
        for (status, headers, expected) in table {
            let map = headers.iter().map(|(name, value)| {
                (HeaderName::try_from(*name).unwrap(), value.parse().unwrap())
            });
            let wait = pause_after(StatusCode::from_u16(status).unwrap(), &map.collect(), now);
            assert_eq!(wait.map(|wait| wait.as_secs()), expected, "{status} {headers:?}");
        }
    }
}
