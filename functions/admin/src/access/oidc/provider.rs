//! The provider: what it says of itself and its keys, kept for a while; and who somebody is that it
//! sends us.
//!
//! OpenID Connect Core 1.0, section 3.1 (code flow); RFC 7636 (PKCE).

use std::sync::{Mutex as StdMutex, PoisonError};
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
use url::Url;

use super::token::{
    ALGORITHMS, ClaimFields, Claims, Groups, IdToken, OidcIdentity, identity, made_for_us,
};

/// How long what the provider says of itself is believed, and how soon it may be asked again for a
/// key that is new.
const KEPT: Duration = Duration::from_hours(1);
const KEPT_AT_LEAST: Duration = Duration::from_mins(1);

/// Time for one request to the provider.
const REQUEST: Duration = Duration::from_secs(10);

/// Time for learning all of it, and how long a provider that is away is left alone.
const LEARN: Duration = Duration::from_secs(8);
const FAILED: Duration = Duration::from_secs(15);

/// Largest answer of the provider, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// What `OIDC_SECRET_ARN` holds.
#[derive(Deserialize)]
struct Settings {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    /// At least 32 bytes that nobody can guess.
    cookie_key: String,
}

/// What the settings tell, and what was learnt from the provider.
pub(crate) struct OidcProvider {
    secret_arn: String,
    http: reqwest::Client,
    settings: OnceCell<(Settings, Key)>,
    learnt: StdMutex<Learnt>,
    /// Held by whoever is learning: one is enough.
    learning: Mutex<()>,
}

/// What is known, and how the last attempt to know more went.
#[derive(Default)]
struct Learnt {
    known: Option<Known>,
    failed: Option<(Instant, String)>,
}

/// A login that did not come to its end.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// The provider cannot be asked.
    Unreachable(anyhow::Error),
    /// What it says is not good enough. `told` is for everybody, the error for the log.
    Refused { told: String, error: anyhow::Error },
}

#[derive(Clone)]
struct Known {
    client: OidcClient,
    client_id: ClientId,
    learnt_at: Instant,
}

/// The beginning of a login: where the browser is sent, and what it must come back with.
pub(crate) struct Began {
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
#[error("the provider cannot be asked: {0}")]
struct Unasked(String);

impl OidcProvider {
    /// A provider that is asked when first needed.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(secret_arn: String) -> anyhow::Result<Self> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(REQUEST);
        // Nobody but the provider is to get what is sent to it.
        let http = http.redirect(reqwest::redirect::Policy::none()).build()?;
        let (settings, learnt, learning) = (OnceCell::new(), StdMutex::default(), Mutex::new(()));
        Ok(Self { secret_arn, http, settings, learnt, learning })
    }

    /// The key that cookies are encrypted with.
    ///
    /// # Errors
    /// When the settings cannot be read. The provider need not be there.
    pub(crate) async fn key(&self) -> anyhow::Result<Key> {
        Ok(self.settings().await?.1.clone())
    }

    /// Begins a login that ends at `callback`.
    ///
    /// # Errors
    /// When the provider cannot be read.
    pub(crate) async fn begin(&self, callback: String) -> anyhow::Result<Began> {
        let known = self.known(KEPT).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = known.client.set_redirect_uri(RedirectUrl::new(callback)?);
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let request =
            request.add_scope(Scope::new("email".to_owned())).set_pkce_challenge(challenge);
        let (address, state, nonce) = request.url();
        let (state, nonce, verifier) =
            (state.secret().clone(), nonce.secret().clone(), verifier.secret().clone());
        Ok(Began { address, state, nonce, verifier })
    }

    /// Changes the code that a browser came back with into who its user is.
    ///
    /// # Errors
    /// When the provider cannot be asked, refuses the code, or its token is not good.
    pub(crate) async fn finish(
        &self,
        callback: String,
        code: String,
        nonce: &str,
        verifier: String,
    ) -> Result<OidcIdentity, Unfinished> {
        let known = self.known(KEPT).await.map_err(Unfinished::Unreachable)?;
        let refused = |told: &str, error| Unfinished::Refused { told: told.to_owned(), error };
        let callback = RedirectUrl::new(callback)
            .map_err(|error| refused("the callback is no address", error.into()))?;
        let client = known.client.clone().set_redirect_uri(callback);
        let exchange = client.exchange_code(AuthorizationCode::new(code));
        let exchange = exchange.map_err(|error| {
            refused("the identity provider has no token endpoint", error.into())
        })?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let http = |request| ask(self.http.clone(), request);
        let answer = exchange.request_async(&http).await.map_err(|error| match error {
            // What else it says may repeat what it was sent: the code, the secret.
            RequestTokenError::ServerResponse(answer) => {
                let code = error_code(answer.error().as_ref());
                refused(
                    &format!("the identity provider refuses the code ({code})"),
                    anyhow!("refused with {code}"),
                )
            }
            RequestTokenError::Request(error) => Unfinished::Unreachable(error.into()),
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
        identity(&claims).map_err(|error| Unfinished::Refused { told: error.to_string(), error })
    }

    /// Who sends a bearer token: an ID token of the same issuer for the same client.
    ///
    /// # Errors
    /// When it is not good.
    pub(crate) async fn bearer(&self, token: &str) -> anyhow::Result<OidcIdentity> {
        let token: IdToken = token.parse().map_err(|_| anyhow!("it is not a JSON Web IdToken"))?;
        identity(&self.verify(&token, |_: Option<&Nonce>| Ok(())).await?)
    }

    async fn verify(
        &self,
        token: &IdToken,
        nonce: impl NonceVerifier + Clone,
    ) -> anyhow::Result<Claims> {
        let known = self.known(KEPT).await?;
        let checked = known.claims(token, nonce.clone());
        match checked {
            // The provider may have a new key. What is wrong otherwise, issuer and audience before
            // all, no key mends.
            Err(ClaimsVerificationError::SignatureVerification(_))
                if known.learnt_at.elapsed() > KEPT_AT_LEAST =>
            {
                let claims = self.known(KEPT_AT_LEAST).await?.claims(token, nonce)?;
                made_for_us(claims, &known.client_id)
            }
            other => made_for_us(other?, &known.client_id),
        }
    }

    /// What is known of the provider, asked again when it is older than this. Nobody waits for a
    /// provider that is away, but the first one to ask and those who know nothing yet; and it is
    /// left alone for a while then.
    async fn known(&self, kept: Duration) -> anyhow::Result<Known> {
        let is_fresh = |known: &Known| known.learnt_at.elapsed() < kept;
        let remembered = || {
            let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
            match (&learnt.known, &learnt.failed) {
                (Some(known), _) if is_fresh(known) => Some(Ok(known.clone())),
                (known, Some((at, error))) if at.elapsed() < FAILED => {
                    Some(known.clone().ok_or_else(|| anyhow!("{error} (a moment ago)")))
                }
                _ => None,
            }
        };
        if let Some(known) = remembered() {
            return known;
        }
        let old = || self.learnt.lock().unwrap_or_else(PoisonError::into_inner).known.clone();
        let turn = match (self.learning.try_lock(), old()) {
            (Ok(turn), _) => turn,
            // What was right an hour ago is better than waiting.
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.learning.lock().await,
        };
        if let Some(known) = remembered() {
            return known;
        }
        let fresh = timeout(LEARN, self.learn())
            .await
            .unwrap_or_else(|_| Err(anyhow!("the provider does not answer")));
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        drop(turn);
        match fresh {
            Ok(fresh) => {
                *learnt = Learnt { known: Some(fresh.clone()), failed: None };
                Ok(fresh)
            }
            Err(error) => {
                learnt.failed = Some((Instant::now(), format!("{error:#}")));
                if learnt.known.is_some() {
                    tracing::warn!(error = %format!("{error:#}"), "the provider is not reached: \
                        its old keys are used");
                }
                learnt.known.clone().ok_or(error)
            }
        }
    }

    /// Read once: a new secret needs a new process.
    async fn settings(&self) -> anyhow::Result<&(Settings, Key)> {
        self.settings.get_or_try_init(|| read(&self.secret_arn)).await
    }

    async fn learn(&self) -> anyhow::Result<Known> {
        let (settings, _) = self.settings().await?;
        let http = |request| ask(self.http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(settings.issuer.clone(), &http).await;
        let metadata = metadata.map_err(anyhow::Error::new);
        let metadata = metadata.with_context(|| {
            format!("cannot learn about the provider {}", settings.issuer.as_str())
        })?;
        let (client_id, secret) = (settings.client_id.clone(), settings.client_secret.clone());
        let client = Client::from_provider_metadata(metadata, client_id.clone(), Some(secret));
        Ok(Known { client, client_id, learnt_at: Instant::now() })
    }
}

/// Reads the settings, and says what is wrong with them without repeating any.
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
        bail!("OIDC_SECRET_ARN: cookie_key has {bytes} bytes; it needs 32 that nobody can guess");
    }
    let key = Key::derive_from(settings.cookie_key.as_bytes());
    Ok((settings, key))
}

impl Known {
    fn claims(
        &self,
        token: &IdToken,
        nonce: impl NonceVerifier,
    ) -> Result<Claims, ClaimsVerificationError> {
        let verifier: IdTokenVerifier<'_, CoreJsonWebKey> = self.client.id_token_verifier();
        // Who else it is for is looked at by `made_for_us`.
        let verifier =
            verifier.set_allowed_algs(ALGORITHMS).set_other_audience_verifier_fn(|_| true);
        token.claims(&verifier, nonce).cloned()
    }
}

/// The code of RFC 6749, section 5.2. What is none is nobody's business.
pub(crate) fn error_code(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == '_').take(40).collect()
}

/// Sends a request to the provider.
async fn ask(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unasked> {
    let unasked = |error: reqwest::Error| Unasked(format!("{:#}", anyhow!(error.without_url())));
    let (parts, body) = request.into_parts();
    let sent =
        http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
    let mut answer = sent.await.map_err(unasked)?;
    let mut response = axum::http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        *headers = answer.headers().clone();
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(unasked)? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_MAX {
            return Err(Unasked(format!("its answer has more than {ANSWER_MAX} bytes")));
        }
    }
    response.body(body).map_err(|error| Unasked(error.to_string()))
}

impl std::fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").finish_non_exhaustive()
    }
}
