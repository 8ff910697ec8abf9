//! Sends the requests of all verbs. Applies permits, credentials, redirects, deadlines, size limits
//! and retries.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use tokio::time::{Instant, sleep, timeout};

use super::allowed_addresses::AllowedAddresses;
use super::api::ApiClient;
use super::body::read_up_to;
use super::credential_check::CredentialCheck;
use super::login::Login;
use super::pace::{Closed, Pace, RequestCounts, RequestPermit};
use super::reach::Reach;
use super::scope::Scope;
use super::session::Session;
use super::sharing::TimeSharing;
use crate::domain::RegistryUrl;
use crate::oci::error::Error;
use crate::oci::limits::{ATTEMPTS, CLOSED_MAX, CONNECT_DEADLINE, PAUSE, REQUEST_DEADLINE};
use crate::oci::page_size::AcceptedPageSize;
use crate::oci::redact::redacted;

/// The longest wait for a registry when no deadline is earlier.
const PAUSE_WITHOUT_DEADLINE: Duration = Duration::from_mins(1);

/// The parts that the clients of all registries share.
#[derive(Debug, Clone)]
pub struct Connections {
    tls: rustls::ClientConfig,
    allowed: Arc<AllowedAddresses>,
}

/// A client for one registry. Clones share their connections, their login and their pace.
#[derive(Debug, Clone)]
pub struct Client {
    base: RegistryUrl,
    pub(super) reach: Arc<Reach>,
    pub(super) session: Arc<Session>,
    pub(super) credentials: Arc<CredentialCheck>,
    pub(super) pace: Arc<Pace>,
    page_size: Arc<AcceptedPageSize>,
    pub(super) deadline: Option<Instant>,
    /// Set if the invocation visits many repositories.
    sharing: Option<Arc<TimeSharing>>,
    /// Whether a `Retry-After` lasts past the deadline.
    stays_closed: bool,
}

/// A request before the client adds the credentials.
#[derive(Debug, Clone, Copy)]
pub(in crate::oci) struct RegistryRequest<'a> {
    pub(in crate::oci) method: &'a Method,
    pub(in crate::oci) url: &'a Url,
    /// The value of the `Accept` header.
    pub(in crate::oci) accept: &'a str,
    pub(in crate::oci) scope: Scope<'a>,
    pub(in crate::oci) permit: RequestPermit,
}

/// A successful answer with its whole body.
pub(in crate::oci) struct RegistryReply {
    pub(in crate::oci) headers: HeaderMap,
    pub(in crate::oci) body: Vec<u8>,
}

impl Connections {
    /// Trusts the roots of `tls`. Redirects and realms may lead to the public internet and to the
    /// allowed addresses.
    #[must_use]
    pub fn new(tls: rustls::ClientConfig, allowed: AllowedAddresses) -> Self {
        Self { tls, allowed: Arc::new(allowed) }
    }

    /// Returns a client for the registry at `base`, which sends at most `concurrency` requests at
    /// the same time. Opens no connection yet.
    ///
    /// # Errors
    ///
    /// Fails if the TLS settings cannot be used.
    pub fn client(
        &self,
        base: RegistryUrl,
        login: Login,
        concurrency: usize,
    ) -> Result<Client, Error> {
        Ok(Client {
            reach: Arc::new(self.reach(&base)?),
            base,
            session: Arc::new(Session::new(login)),
            credentials: Arc::default(),
            pace: Arc::new(Pace::new(concurrency)),
            page_size: Arc::default(),
            deadline: None,
            sharing: None,
            stays_closed: false,
        })
    }

    /// Returns a client for the API of the vendor of a registry. If the API is at the registry's
    /// own address, both share their pace, because a limit of one is a limit of the other.
    ///
    /// # Errors
    ///
    /// Fails if the TLS settings cannot be used.
    pub(in crate::oci) fn api(
        &self,
        base: RegistryUrl,
        registry: &Client,
    ) -> Result<ApiClient, Error> {
        let pace = if registry.reach.is_own(base.url()) {
            Arc::clone(&registry.pace)
        } else {
            Arc::new(Pace::new(1))
        };
        let reach = self.reach(&base)?;
        Ok(ApiClient::new(base, reach, pace))
    }

    fn reach(&self, base: &RegistryUrl) -> Result<Reach, Error> {
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(self.tls.clone())
                .connect_timeout(CONNECT_DEADLINE)
                .redirect(Policy::none())
                // Without a proxy, because the client could not check which address a proxy
                // connects to.
                .no_proxy()
                .user_agent(concat!("helm-chart-discovery/", env!("CARGO_PKG_VERSION")))
        };
        Reach::new(base.clone(), Arc::clone(&self.allowed), builder)
    }
}

impl Client {
    /// Returns the same client with the deadline of one invocation. The client does not wait for a
    /// registry whose `Retry-After` is later.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Returns the same client for an invocation that visits many repositories. A request gets at
    /// most half of the time that is left. A repository gets no more requests after two without an
    /// answer in time ([`Error::Stalled`]). A `Retry-After` lasts past the deadline, up to an hour.
    #[must_use]
    pub fn sharing_until(&self, deadline: Instant) -> Self {
        let sharing = Some(Arc::new(TimeSharing::new(Instant::now(), deadline)));
        Self { sharing, ..self.until(deadline).staying_closed() }
    }

    /// Returns the same client, for which a `Retry-After` lasts past the deadline, up to an hour.
    /// So the next invocation leaves the registry alone too.
    #[must_use]
    pub fn staying_closed(self) -> Self {
        Self { stays_closed: true, ..self }
    }

    /// Returns the time for work of several requests that begins now, or `None` if it may take all
    /// that is left.
    #[must_use]
    pub fn share(&self) -> Option<Duration> {
        self.sharing.as_ref()?.share(Instant::now())
    }

    /// Returns the time before which the registry accepts no request, if it is in the future.
    #[must_use]
    pub fn closed_until(&self) -> Option<Instant> {
        self.pace.closed_until()
    }

    /// Returns how long a `Retry-After` lasts at most.
    pub(super) fn longest_pause(&self) -> Duration {
        match self.deadline {
            _ if self.stays_closed => CLOSED_MAX,
            // The next invocation may send requests again.
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => PAUSE_WITHOUT_DEADLINE,
        }
    }

    /// Returns the request counts since the last call, over all clients that share this pace.
    #[must_use]
    pub fn take_counts(&self) -> RequestCounts {
        self.pace.take_counts()
    }

    /// Returns the registry's address.
    #[must_use]
    pub fn base(&self) -> &RegistryUrl {
        &self.base
    }

    /// Returns whether the client sends no credentials.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self.session.login(), Login::Anonymous)
    }

    /// Returns the size of the first page that the registry has accepted.
    pub(in crate::oci) fn page_size(&self) -> &AcceptedPageSize {
        &self.page_size
    }

    /// Returns the address of `/v2/<segments>`. A segment may be a repository name with slashes.
    pub(in crate::oci) fn endpoint(&self, segments: &[&str], query: Option<&str>) -> Url {
        self.base.endpoint(&[&["v2"], segments].concat(), query)
    }

    /// Sends one request, and reads the answer's body into memory. The body may have at most
    /// `limit` bytes.
    pub(in crate::oci) async fn send(
        &self,
        request: RegistryRequest<'_>,
        limit: usize,
    ) -> Result<RegistryReply, Error> {
        let read = |response: Response| async move {
            let headers = response.headers().clone();
            Ok(RegistryReply { headers, body: read_up_to(response, limit).await? })
        };
        self.request(request, read).await
    }

    /// Sends one request and passes a successful answer to `read`. Retries transient faults.
    pub(in crate::oci) async fn request<T, F: Future<Output = Result<T, Error>>>(
        &self,
        request: RegistryRequest<'_>,
        read: impl Fn(Response) -> F,
    ) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            let slot = self.pace.enter(request.permit, self.deadline).await;
            let slot = slot.map_err(|closed| self.asked_to_wait(&closed))?;
            if let Some(repository) = self.sharing.as_ref().and_then(|s| s.stalled(request.scope)) {
                return Err(Error::Stalled { repository: repository.to_string() });
            }
            let answered = async {
                let response = self.exchange(request).boxed().await?;
                read(response).await
            };
            let limit = self.share().unwrap_or(REQUEST_DEADLINE).min(REQUEST_DEADLINE);
            let outcome = match timeout(limit, answered).await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.timed_out(request, limit)),
            };
            drop(slot);
            match outcome {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    let longest = PAUSE * 2_u32.pow(attempt - 1);
                    let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
                    if self.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
                        return Err(error);
                    }
                    note_retry(&error, attempt);
                    sleep(pause).await;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }
}

impl Client {
    fn asked_to_wait(&self, closed: &Closed) -> Error {
        let until = SystemTime::now() + closed.until.saturating_duration_since(Instant::now());
        Error::AskedToWait { host: self.base.to_string(), until: until.into() }
    }

    fn timed_out(&self, request: RegistryRequest<'_>, limit: Duration) -> Error {
        if let Some(sharing) = &self.sharing {
            sharing.note_unanswered(request.scope);
        }
        let (method, url) = (request.method.clone(), redacted(request.url));
        Error::TimedOut { method, url, limit }
    }
}

fn note_retry(error: &Error, attempt: u32) {
    let error = crate::telemetry::Causes(error);
    tracing::debug!(%error, attempt, "the client retries the request");
}
