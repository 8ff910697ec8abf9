//! Who we are to a registry: anonymous or by name, with a password or a token. Distribution
//! specification's companion "Docker Registry v2 authentication": the registry's 401 names a realm,
//! the realm gives a token for a scope.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::ChallengeParser;
use reqwest::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::time::Instant;

use super::address::Reach;
use super::transport::{read_up_to, redacted};
use super::{Error, error};
use crate::aws::EcrLogin;
use crate::domain::Repository;

/// How long a token is valid where the realm does not say, and the least that it may say.
const VALIDITY_MIN: Duration = Duration::from_mins(1);

/// The longest that a token is kept.
const VALIDITY_MAX: Duration = Duration::from_hours(12);

/// Largest answer read from a realm, in bytes.
const TOKEN_LIMIT: usize = 16 * 1024;

/// Longest scope that a registry may ask for, in bytes.
const SCOPE_MAX: usize = 1024;

/// Tokens kept.
const TOKENS_MAX: usize = 4096;

/// How we log in to a registry.
#[derive(Clone)]
pub enum Login {
    /// Not at all; where the registry names a realm, with a token for anybody.
    Anonymous,
    /// By name, sent to the registry or to its realm, whichever it asks for.
    Password {
        /// The user's name.
        username: String,
        /// The user's password, or the token that stands for one.
        password: String,
    },
    /// With a bearer token that is sent to the registry as it is.
    Token(String),
    /// With a token of ECR's own service.
    Ecr(Arc<EcrLogin>),
}

/// What a request is allowed to do, in the words of the token specification.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// List the repositories.
    Catalog,
    /// Pull from one.
    Repository(&'a Repository),
}

/// The login to one registry, and the tokens it has brought. Shared by all clients of the registry.
#[derive(Debug)]
pub(super) struct Session {
    login: Login,
    learned: Mutex<Learned>,
}

/// What the registry has told about how it wants to be asked.
#[derive(Default)]
struct Learned {
    realm: Option<Realm>,
    /// Whether it takes the password itself for the catalog, and for repositories. Harbor does for
    /// the first only.
    catalog_by_password: bool,
    repositories_by_password: bool,
    tokens: HashMap<String, Arc<tokio::sync::Mutex<Option<Token>>>>,
}

#[derive(Clone)]
struct Realm {
    url: Url,
    service: Option<String>,
}

struct Token {
    authorization: String,
    expires_at: Instant,
}

/// A challenge that we can answer.
enum Challenge {
    Basic,
    Bearer { realm: Realm, scope: Option<String> },
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(alias = "access_token")]
    token: String,
    expires_in: Option<u64>,
}

impl Session {
    pub(super) fn new(login: Login) -> Self {
        Self { login, learned: Mutex::default() }
    }

    /// Whether there is no login.
    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self.login, Login::Anonymous)
    }

    /// What to send with a request, as far as is known before it is sent.
    pub(super) async fn authorization(
        &self,
        reach: &Reach,
        scope: Scope<'_>,
    ) -> Result<Option<String>, Error> {
        match &self.login {
            Login::Token(token) => Ok(Some(format!("Bearer {token}"))),
            Login::Ecr(login) if reach.is_ecr() => Ok(Some(login.authorization(None).await?)),
            // Something else in ECR's place may not want a login.
            Login::Ecr(login) => Ok(login.known().await),
            Login::Password { .. } if *self.learned().by_password(scope) => Ok(self.password()),
            Login::Password { .. } | Login::Anonymous => {
                let realm = self.learned().realm.clone();
                match realm {
                    Some(realm) => Ok(Some(
                        self.token(reach, &realm, (scope, &scope.to_string()), None).await?,
                    )),
                    None => Ok(None),
                }
            }
        }
    }

    /// What to send after a 401, or `None` when nothing better than what was sent is known. `scope`
    /// is what the request was for, `sent` what it had.
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
                    let authorization = self.token(reach, &realm, (scope, &asked), sent).await?;
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

    /// The token for a scope, `asked` for in the registry's own words: one request, however many
    /// ask for it, and none while it is valid. One that was `refused` is replaced.
    async fn token(
        &self,
        reach: &Reach,
        realm: &Realm,
        (scope, asked): (Scope<'_>, &str),
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

    async fn ask(&self, reach: &Reach, realm: &Realm, scope: &str) -> Result<Token, Error> {
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
            let codes = error::codes_in(&body.unwrap_or_default());
            return Err(Error::Status { method: Method::GET, url: shown, status, codes });
        }
        // The parser's message may quote the token.
        let body = match body {
            // A page, and nothing that the registry's content could be blamed for.
            Err(Error::TooLarge { .. }) => return Err(Error::NoToken { url: shown }),
            other => other?,
        };
        let answer: Result<TokenAnswer, _> = serde_json::from_slice(&body);
        let answer =
            answer.ok().filter(|answer| answer.token.bytes().all(|byte| byte.is_ascii_graphic()));
        let answer = answer.ok_or(Error::NoToken { url: shown })?;
        let validity = answer
            .expires_in
            .map_or(VALIDITY_MIN, Duration::from_secs)
            .clamp(VALIDITY_MIN, VALIDITY_MAX);
        // A tenth less: a token must not expire on its way.
        Ok(Token {
            authorization: format!("Bearer {}", answer.token),
            expires_at: asked_at + validity * 9 / 10,
        })
    }

    /// The password as the header wants it.
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

fn valid(token: &Token) -> bool {
    token.expires_at > Instant::now()
}

/// The challenges that we can answer, those with a realm first: a registry that offers both prefers
/// tokens.
fn challenges_in(headers: &HeaderMap) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    // What follows a malformed challenge is left out.
    for challenge in values.flat_map(|value| ChallengeParser::new(value).map_while(Result::ok)) {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if challenge.scheme.eq_ignore_ascii_case("bearer") {
            let url = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
            let Some(url) = url.filter(|url| url.username().is_empty() && url.password().is_none())
            else {
                continue;
            };
            let realm = Realm { url, service: parameter("service") };
            challenges.insert(0, Challenge::Bearer { realm, scope: parameter("scope") });
        }
    }
    challenges
}

impl Learned {
    fn by_password(&mut self, scope: Scope<'_>) -> &mut bool {
        match scope {
            Scope::Catalog => &mut self.catalog_by_password,
            Scope::Repository(_) => &mut self.repositories_by_password,
        }
    }
}

/// As a realm is asked for it.
impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Repository(repository) => write!(f, "repository:{repository}:pull"),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password",
            Self::Token(_) => "Token",
            Self::Ecr(_) => "Ecr",
        })
    }
}

/// Shows no token.
impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}
