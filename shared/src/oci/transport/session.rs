//! Finds the credentials for a request: none, a password or a token. Follows the specification
//! "Docker Registry v2 authentication": the registry's challenge names a realm, and the realm
//! issues a token for a scope.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::challenge::{Challenge, Challenges, Realm};
use super::login::Login;
use super::reach::Reach;
use super::realm::BearerToken;
use super::scope::Scope;
use crate::oci::error::Error;

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

impl Session {
    pub(super) fn new(login: Login) -> Self {
        Self { login, learned: Mutex::default() }
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// Returns the realm, if the registry has named one.
    pub(super) fn realm(&self) -> Option<Realm> {
        self.learned().realm.clone()
    }

    /// Prepares the password for the first request, by the challenges of the registry's base
    /// address. Without a challenge, `may_be_unasked` decides whether the registry gets it.
    pub(super) fn begin(&self, challenges: Challenges, may_be_unasked: bool) {
        let mut learned = self.learned();
        let by_password = match challenges.usable.into_iter().next() {
            Some(Challenge::Bearer { realm, .. }) => {
                learned.realm = Some(realm);
                false
            }
            Some(Challenge::Basic) => true,
            None => may_be_unasked,
        };
        learned.catalog_by_password = by_password;
        learned.repositories_by_password = by_password;
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
            Login::Password { .. } | Login::Anonymous => match self.realm() {
                Some(realm) => {
                    Ok(Some(self.token(reach, &realm, scope, &scope.to_string(), None).await?))
                }
                None => Ok(None),
            },
        }
    }

    /// Returns the `Authorization` to send after a 401. `None` if no better one than `sent` is
    /// known. `scope` is the access that the request needs.
    pub(super) async fn answer(
        &self,
        reach: &Reach,
        scope: Scope<'_>,
        sent: Option<&str>,
        challenges: Challenges,
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
        for challenge in challenges.usable {
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
            && token.is_valid()
            && Some(token.authorization.as_str()) != refused
        {
            return Ok(token.authorization.clone());
        }
        let password = self.password();
        let token = BearerToken::request(reach, realm, Some(asked), password.as_deref()).await?;
        let authorization = token.authorization.clone();
        *cached = Some(token);
        Ok(authorization)
    }

    /// Returns the user name and password as the `Authorization` header encodes them.
    pub(super) fn password(&self) -> Option<String> {
        match &self.login {
            Login::Password { username, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
            }
            _ => None,
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
