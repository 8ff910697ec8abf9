//! The client of the OpenID Connect provider: its metadata and keys, which are cached, and the user
//! of a login or a bearer token.
//!
//! OpenID Connect Core 1.0, section 3.1 (code flow); RFC 7636 (PKCE).

use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use cookie::Key;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreProviderMetadata, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client, ClientId, ClientSecret,
    CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdTokenVerifier, IssuerUrl, Nonce, NonceVerifier, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _,
};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout};
use tracing::warn;
use url::Url;

use super::token::{
    ALGORITHMS, ClaimFields, Claims, Groups, IdToken, OidcIdentity, check_recipient, identity,
};

/// How long the provider's metadata and keys are cached.
const CACHED: Duration = Duration::from_hours(1);

/// How old the cache must be before an unknown key makes the program fetch the keys again.
const CACHED_AT_LEAST: Duration = Duration::from_mins(1);

/// Time for one request to the provider.
const REQUEST: Duration = Duration::from_secs(10);

/// Time for fetching the metadata and the keys.
const FETCH: Duration = Duration::from_secs(8);

/// How long the program waits after a failed fetch before it fetches again.
const PAUSE: Duration = Duration::from_secs(15);

/// Largest answer of the provider, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// The settings in the secret `OIDC_SECRET_ARN`.
#[derive(Deserialize)]
struct Settings {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    /// At least 32 random bytes.
    cookie_key: String,
}

/// The provider: its settings, and what it has said about itself.
pub(crate) struct OidcProvider {
    secret_arn: String,
    http: reqwest::Client,
    settings: OnceCell<(Settings, Key)>,
    cache: StdMutex<Cache>,
    /// Held during a fetch, because one at a time is enough.
    fetching: Mutex<()>,
}

/// The last metadata, and the failure of a later fetch.
#[derive(Default)]
struct Cache {
    metadata: Option<Metadata>,
    failure: Option<FetchFailure>,
}

/// A failed fetch of the metadata.
struct FetchFailure {
    at: Instant,
    error: String,
}

/// Why a login failed.
#[derive(Debug)]
pub(crate) enum LoginError {
    /// The provider does not answer, or its answer fails.
    Unreachable(anyhow::Error),
    /// The provider refuses the login, or its token is not accepted. The page shows `reason`, and
    /// the log has `error`.
    Refused { reason: String, error: anyhow::Error },
}

/// The provider as its metadata describe it, with its keys.
#[derive(Clone)]
struct Metadata {
    client: OidcClient,
    client_id: ClientId,
    fetched_at: Instant,
}

/// The request that begins a login: its address, and the values that its answer is checked against.
pub(crate) struct LoginRequest {
    pub(crate) address: Url,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

type OidcClient = Client<
    Groups,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<ClaimFields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A request to the provider that failed.
#[derive(Debug, thiserror::Error)]
#[error("the request to the provider failed: {0}")]
struct RequestError(String);

impl OidcProvider {
    /// Makes a client that sends its first request when it is first used.
    ///
    /// # Errors
    /// The TLS configuration cannot be used.
    pub(crate) fn new(secret_arn: String) -> anyhow::Result<Self> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(REQUEST);
        // The requests carry secrets, so they must not follow a redirect to another host.
        let http = http.redirect(reqwest::redirect::Policy::none()).build()?;
        let (settings, cache, fetching) = (OnceCell::new(), StdMutex::default(), Mutex::new(()));
        Ok(Self { secret_arn, http, settings, cache, fetching })
    }

    /// Returns the key that encrypts the cookies. It does not need the provider.
    ///
    /// # Errors
    /// The settings cannot be read.
    pub(crate) async fn key(&self) -> anyhow::Result<Key> {
        Ok(self.settings().await?.1.clone())
    }

    /// Begins a login that ends at `callback`.
    ///
    /// # Errors
    /// The metadata cannot be fetched.
    pub(crate) async fn begin(&self, callback: String) -> anyhow::Result<LoginRequest> {
        let metadata = self.metadata(CACHED).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = metadata.client.set_redirect_uri(RedirectUrl::new(callback)?);
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let request =
            request.add_scope(Scope::new("email".to_owned())).set_pkce_challenge(challenge);
        let (address, state, nonce) = request.url();
        let (state, nonce, verifier) =
            (state.secret().clone(), nonce.secret().clone(), verifier.secret().clone());
        Ok(LoginRequest { address, state, nonce, verifier })
    }

    /// Exchanges the code that a browser brings back for its user.
    ///
    /// # Errors
    /// The provider does not answer or refuses the code, or its token is not accepted.
    pub(crate) async fn finish(
        &self,
        callback: String,
        code: String,
        nonce: &str,
        verifier: String,
    ) -> Result<OidcIdentity, LoginError> {
        let metadata = self.metadata(CACHED).await.map_err(LoginError::Unreachable)?;
        let refused =
            |reason: &str, error| LoginError::Refused { reason: reason.to_owned(), error };
        let callback = RedirectUrl::new(callback)
            .map_err(|error| refused("the callback is not an address", error.into()))?;
        let client = metadata.client.clone().set_redirect_uri(callback);
        let exchange = client.exchange_code(AuthorizationCode::new(code));
        let exchange = exchange.map_err(|error| {
            refused("the identity provider has no token endpoint", error.into())
        })?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let http = |request| ask(self.http.clone(), request);
        let answer = exchange.request_async(&http).await.map_err(|error| match error {
            // The rest of the answer is dropped, because it may repeat the code or the secret.
            RequestTokenError::ServerResponse(answer) => {
                let code = error_code(answer.error().as_ref());
                refused(
                    &format!("the identity provider refuses the code ({code})"),
                    anyhow!("refused with {code}"),
                )
            }
            RequestTokenError::Request(error) => LoginError::Unreachable(error.into()),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => refused(
                "the identity provider's answer cannot be read",
                anyhow!("the token endpoint's answer cannot be read"),
            ),
        })?;
        let token = answer.id_token().cloned();
        let token = token.ok_or_else(|| {
            refused("the identity provider's answer has no ID token", anyhow!("no ID token"))
        })?;
        let claims = self.verify(&token, &Nonce::new(nonce.to_owned())).await;
        let claims =
            claims.map_err(|error| refused("the identity provider's token is not valid", error))?;
        identity(&claims).map_err(|error| LoginError::Refused { reason: error.to_string(), error })
    }

    /// Returns the user of a bearer token, which must be an ID token of this issuer for this
    /// client.
    ///
    /// # Errors
    /// The token is not accepted, or the metadata cannot be fetched.
    pub(crate) async fn bearer(&self, token: &str) -> anyhow::Result<OidcIdentity> {
        let token: IdToken = token.parse().map_err(|_| anyhow!("it is not a JSON Web IdToken"))?;
        identity(&self.verify(&token, |_: Option<&Nonce>| Ok(())).await?)
    }

    async fn verify(
        &self,
        token: &IdToken,
        nonce: impl NonceVerifier + Clone,
    ) -> anyhow::Result<Claims> {
        let metadata = self.metadata(CACHED).await?;
        let checked = metadata.claims(token, nonce.clone());
        match checked {
            // The provider may have a new key. Other errors, such as a wrong issuer or audience,
            // remain with any key.
            Err(ClaimsVerificationError::SignatureVerification(_))
                if metadata.fetched_at.elapsed() > CACHED_AT_LEAST =>
            {
                let claims = self.metadata(CACHED_AT_LEAST).await?.claims(token, nonce)?;
                check_recipient(claims, &metadata.client_id)
            }
            other => check_recipient(other?, &metadata.client_id),
        }
    }

    /// Returns the metadata, and fetches them if the cache is older than `max_age`.
    ///
    /// While one request fetches, the others use the old metadata and do not wait. They wait only
    /// if there are no metadata yet. After a failed fetch the program pauses.
    async fn metadata(&self, max_age: Duration) -> anyhow::Result<Metadata> {
        if let Some(cached) = self.cache().usable(max_age) {
            return cached;
        }
        let old = self.cache().metadata.clone();
        let turn = match (self.fetching.try_lock(), old) {
            (Ok(turn), _) => turn,
            // The metadata of an hour ago are better than waiting.
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.fetching.lock().await,
        };
        // Another request may have fetched them while this one waited for its turn.
        if let Some(cached) = self.cache().usable(max_age) {
            return cached;
        }
        let fetched = timeout(FETCH, self.fetch())
            .await
            .unwrap_or_else(|_| Err(anyhow!("the provider does not answer")));
        let mut cache = self.cache();
        drop(turn);
        match fetched {
            Ok(metadata) => {
                *cache = Cache { metadata: Some(metadata.clone()), failure: None };
                Ok(metadata)
            }
            Err(error) => {
                let text = format!("{error:#}");
                if cache.metadata.is_some() {
                    warn!(error = %text, "the provider is not reached: its old keys are used");
                }
                cache.failure = Some(FetchFailure { at: Instant::now(), error: text });
                cache.metadata.clone().ok_or(error)
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the settings, which are read once. A changed secret needs a new process.
    async fn settings(&self) -> anyhow::Result<&(Settings, Key)> {
        self.settings.get_or_try_init(|| read(&self.secret_arn)).await
    }

    async fn fetch(&self) -> anyhow::Result<Metadata> {
        let (settings, _) = self.settings().await?;
        let http = |request| ask(self.http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(settings.issuer.clone(), &http).await;
        let metadata = metadata.map_err(anyhow::Error::new);
        let metadata = metadata.with_context(|| {
            format!("cannot fetch the metadata of the provider {}", settings.issuer.as_str())
        })?;
        let (client_id, secret) = (settings.client_id.clone(), settings.client_secret.clone());
        let client = Client::from_provider_metadata(metadata, client_id.clone(), Some(secret));
        Ok(Metadata { client, client_id, fetched_at: Instant::now() })
    }
}

/// Reads the settings. The error names a wrong setting and never shows its value.
async fn read(secret_arn: &str) -> anyhow::Result<(Settings, Key)> {
    let fields = "issuer, client_id, client_secret, cookie_key";
    let settings: Settings =
        shared::aws::read_secret(secret_arn, fields).await.context("OIDC_SECRET_ARN")?;
    let issuer = settings.issuer.url();
    let is_local = matches!(issuer.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if issuer.scheme() != "https" && !is_local {
        bail!("OIDC_SECRET_ARN: the issuer must be an https address");
    }
    let bytes = settings.cookie_key.len();
    if bytes < 32 {
        bail!("OIDC_SECRET_ARN: cookie_key has {bytes} bytes; it needs at least 32 random bytes");
    }
    let key = Key::derive_from(settings.cookie_key.as_bytes());
    Ok((settings, key))
}

impl Cache {
    /// Returns the metadata if they are fresh, and whatever is there during the pause after a
    /// failure. `None` asks for a fetch.
    fn usable(&self, max_age: Duration) -> Option<anyhow::Result<Metadata>> {
        match (&self.metadata, &self.failure) {
            (Some(metadata), _) if metadata.fetched_at.elapsed() < max_age => {
                Some(Ok(metadata.clone()))
            }
            (metadata, Some(FetchFailure { at, error })) if at.elapsed() < PAUSE => {
                Some(metadata.clone().ok_or_else(|| anyhow!("{error} (a moment ago)")))
            }
            _ => None,
        }
    }
}

impl Metadata {
    /// Returns the claims of a token with a valid signature, issuer, audience and nonce.
    fn claims(
        &self,
        token: &IdToken,
        nonce: impl NonceVerifier,
    ) -> Result<Claims, ClaimsVerificationError> {
        let verifier: IdTokenVerifier<'_, CoreJsonWebKey> = self.client.id_token_verifier();
        // `check_recipient` checks the other audiences.
        let verifier =
            verifier.set_allowed_algs(ALGORITHMS).set_other_audience_verifier_fn(|_| true);
        token.claims(&verifier, nonce).cloned()
    }
}

/// Returns an error code of RFC 6749, section 5.2. Drops all other characters, because the text
/// comes from outside and is shown and logged.
pub(crate) fn error_code(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == '_').take(40).collect()
}

/// Sends a request to the provider.
async fn ask(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, RequestError> {
    let failed =
        |error: reqwest::Error| RequestError(format!("{:#}", anyhow!(error.without_url())));
    let (parts, body) = request.into_parts();
    let sent =
        http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
    let mut answer = sent.await.map_err(failed)?;
    let mut response = axum::http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = answer.headers().clone();
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_MAX {
            return Err(RequestError(format!("its answer has more than {ANSWER_MAX} bytes")));
        }
    }
    response.body(body).map_err(|error| RequestError(error.to_string()))
}

impl std::fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").finish_non_exhaustive()
    }
}
