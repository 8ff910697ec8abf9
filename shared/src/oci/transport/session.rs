//! Finds the credentials for a request: none, a password or a token. Follows the specification
//! "Docker Registry v2 authentication": the registry's 401 names a realm, and the realm issues a
//! token for a scope.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use tokio::time::Instant;

use super::body::read_up_to;
use super::challenge::{Challenge, Realm, challenges_in};
use super::login::Login;
use super::reach::Reach;
use super::scope::Scope;
use super::token::IssuedToken;
use crate::oci::error::{Error, codes_in};
use crate::oci::redact::redacted;

/// Largest answer of a realm, in bytes.
const TOKEN_LIMIT: usize = 16 * 1024;

/// Longest scope that a registry may ask for, in bytes.
const SCOPE_MAX: usize = 1024;

/// Most tokens in the cache.
const TOKENS_MAX: usize = 4096;

/// The login to one registry, and its tokens. All clients of the registry share it.
#[derive(Debug)]
pub(super) struct Session {
    login: Login,
    learned: Mutex<Learned>,
}

/// Remembers which credentials the registry accepts.
#[derive(Default)]
struct Learned {
    realm: Option<Realm>,
    /// Says whether the registry accepts the password itself, for the catalog and for repositories.
    /// Harbor accepts it for the catalog only.
    catalog_by_password: bool,
    repositories_by_password: bool,
    tokens: HashMap<String, Arc<tokio::sync::Mutex<Option<BearerToken>>>>,
}

struct BearerToken {
    authorization: String,
    expires_at: Instant,
}

impl Session {
    pub(super) fn new(login: Login) -> Self {
        Self { login, learned: Mutex::default() }
    }

    /// Returns whether there is no login.
    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self.login, Login::Anonymous)
    }

    /// Returns the `Authorization` that a request is known to need before it is sent.
    pub(super) async fn authorization(
        &self,
        reach: &Reach,
        scope: Scope<'_>,
    ) -> Result<Option<String>, Error> {
        match &self.login {
            Login::Token(token) => Ok(Some(format!("Bearer {token}"))),
            Login::Ecr(login) if reach.is_ecr() => Ok(Some(login.authorization(None).await?)),
            // A stand-in for ECR may need no credentials, so no token is requested before the first
            // 401.
            Login::Ecr(login) => Ok(login.known().await),
            Login::Password { .. } if *self.learned().by_password(scope) => Ok(self.password()),
            Login::Password { .. } | Login::Anonymous => {
                let realm = self.learned().realm.clone();
                match realm {
                    Some(realm) => {
                        Ok(Some(self.token(reach, &realm, scope, &scope.to_string(), None).await?))
                    }
                    None => Ok(None),
                }
            }
        }
    }

    /// Returns the `Authorization` to send after a 401. `None` if no better one than `sent` is
    /// known. `scope` is the access that the request needs.
    pub(super) async fn answer(
        &self,
        reach: &Reach,
        scope: Scope<'_>,
        sent: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Option<String>, Error> {
        match &self.login {
            Login::Token(_) => return Ok(None),
            Login::Ecr(login) => {
                let authorization = login.authorization(sent).await?;
                return Ok(Some(authorization)
                    .filter(|authorization| Some(authorization.as_str()) != sent));
            }
            Login::Password { .. } | Login::Anonymous => {}
        }
        for challenge in challenges_in(headers) {
            match challenge {
                Challenge::Bearer { realm, scope: asked } => {
                    let asked = asked
                        .filter(|asked| asked.len() <= SCOPE_MAX)
                        .unwrap_or_else(|| scope.to_string());
                    let authorization = self.token(reach, &realm, scope, &asked, sent).await?;
                    let mut learned = self.learned();
                    learned.realm = Some(realm);
                    *learned.by_password(scope) = false;
                    return Ok(Some(authorization));
                }
                Challenge::Basic if self.password().as_deref() != sent => {
                    *self.learned().by_password(scope) = true;
                    return Ok(self.password());
                }
                Challenge::Basic => {}
            }
        }
        Ok(None)
    }

    /// Returns the token for a scope. `asked` is the scope as the registry writes it. Concurrent
    /// callers share one request. A valid token is reused, unless it is the one that the registry
    /// `refused`.
    async fn token(
        &self,
        reach: &Reach,
        realm: &Realm,
        scope: Scope<'_>,
        asked: &str,
        refused: Option<&str>,
    ) -> Result<String, Error> {
        let slot = {
            let mut learned = self.learned();
            if learned.tokens.len() >= TOKENS_MAX {
                learned.tokens.clear();
            }
            Arc::clone(learned.tokens.entry(scope.to_string()).or_default())
        };
        let mut cached = slot.lock().await;
        if let Some(token) = &*cached
            && valid(token)
            && Some(token.authorization.as_str()) != refused
        {
            return Ok(token.authorization.clone());
        }
        let token = self.ask(reach, realm, asked).await?;
        let authorization = token.authorization.clone();
        *cached = Some(token);
        Ok(authorization)
    }

    async fn ask(&self, reach: &Reach, realm: &Realm, scope: &str) -> Result<BearerToken, Error> {
        let mut url = realm.url.clone();
        let shown = redacted(&url);
        let password = self.password();
        if password.is_some() && !reach.may_have_credentials(&url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(Error::ForeignRealm { url: shown, host });
        }
        url.query_pairs_mut().append_pair("scope", scope);
        if let Some(service) = &realm.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let mut request = reach.client_for(&url)?.get(url.clone());
        if let Some(password) = password {
            request = request.header(AUTHORIZATION, password);
        }
        let asked_at = Instant::now();
        let response =
            request.send().await.map_err(|error| Error::no_answer(Method::GET, &url, error))?;
        let status = response.status();
        let body = read_up_to(response, TOKEN_LIMIT).await;
        if !status.is_success() {
            let codes = codes_in(&body.unwrap_or_default());
            return Err(Error::Status { method: Method::GET, url: shown, status, codes });
        }
        let body = match body {
            // Not `TooLarge`, because that error would count against the registry's content.
            Err(Error::TooLarge { .. }) => return Err(Error::NoToken { url: shown }),
            other => other?,
        };
        let token = IssuedToken::read(&body).ok_or(Error::NoToken { url: shown })?;
        // The token is used for nine tenths of its validity, so that it does not expire during a
        // request.
        Ok(BearerToken {
            authorization: format!("Bearer {}", token.text),
            expires_at: asked_at + token.validity * 9 / 10,
        })
    }

    /// Returns the user name and password as the `Authorization` header encodes them.
    fn password(&self) -> Option<String> {
        match &self.login {
            Login::Password { username, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
            }
            _ => None,
        }
    }

    fn learned(&self) -> std::sync::MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn valid(token: &BearerToken) -> bool {
    token.expires_at > Instant::now()
}

impl Learned {
    fn by_password(&mut self, scope: Scope<'_>) -> &mut bool {
        match scope {
            Scope::Catalog => &mut self.catalog_by_password,
            Scope::Repository(_) => &mut self.repositories_by_password,
        }
    }
}

/// Formats no token.
impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}
