//! Credentials for an ECR registry, from `GetAuthorizationToken`.

use std::time::{Duration, SystemTime};

use aws_sdk_ecr::Client;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Error, config};
use crate::domain::Region;

/// How long before its expiry a token is replaced, so that a request that is under way still finds
/// it valid.
const RENEW_BEFORE: Duration = Duration::from_mins(10);

/// The shortest time between two replacements of a refused token, because a registry may refuse
/// every token.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// How long a token is valid if the service does not say.
const VALIDITY: Duration = Duration::from_hours(12);

/// The credentials for the ECR registries of one region. The token is cached, because the service
/// limits how often it issues one.
#[derive(Debug)]
pub struct EcrLogin {
    region: Region,
    token: Mutex<Option<EcrToken>>,
}

struct EcrToken {
    authorization: String,
    asked_at: Instant,
    renew_at: SystemTime,
}

impl EcrLogin {
    /// Makes the credentials of a region. It makes no call yet.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self { region, token: Mutex::new(None) }
    }

    /// Returns the last result of [`EcrLogin::authorization`] without a call.
    pub async fn known(&self) -> Option<String> {
        self.token.lock().await.as_ref().map(|token| token.authorization.clone())
    }

    /// Returns the value of the `Authorization` header for a request to the registry.
    ///
    /// Concurrent callers share one call, and a valid token needs none. `refused` is a value that
    /// the registry refused. It is replaced at most once a minute.
    ///
    /// # Errors
    /// Fails if the service issues no token.
    pub async fn authorization(&self, refused: Option<&str>) -> Result<String, Error> {
        let mut cached = self.token.lock().await;
        if let Some(token) = &*cached
            && token.renew_at > SystemTime::now()
            && (Some(token.authorization.as_str()) != refused
                || token.asked_at.elapsed() < ASK_AGAIN)
        {
            return Ok(token.authorization.clone());
        }
        // Boxed, because the SDK's futures are large and every request to a registry would hold
        // one.
        let token = self.ask().boxed().await?;
        let authorization = token.authorization.clone();
        *cached = Some(token);
        Ok(authorization)
    }

    async fn ask(&self) -> Result<EcrToken, Error> {
        let what = || format!("log in to ECR in {}", self.region);
        let client = Client::new(&config(Some(&self.region)).await);
        let asked_at = Instant::now();
        let answer = client.get_authorization_token().send().await;
        let answer = answer.map_err(|error| Error::of_call(what(), &error))?;
        let data = answer.authorization_data().first();
        let token = data.and_then(|data| data.authorization_token());
        let decoded = token.and_then(|token| STANDARD.decode(token).ok());
        let (Some(token), true) =
            (token, decoded.is_some_and(|decoded| decoded.starts_with(b"AWS:")))
        else {
            return Err(Error::new(what(), "GetAuthorizationToken returned no token"));
        };
        let expires_at = data
            .and_then(|data| data.expires_at()?.secs().try_into().ok())
            .map(Duration::from_secs);
        let expires_at =
            expires_at.map_or(SystemTime::now() + VALIDITY, |since| SystemTime::UNIX_EPOCH + since);
        // The two clocks may differ, so a new token is always used for a while.
        let renew_at = (expires_at - RENEW_BEFORE).max(SystemTime::now() + ASK_AGAIN);
        Ok(EcrToken { authorization: format!("Basic {token}"), asked_at, renew_at })
    }
}

/// Omits the token, because it is a secret.
impl std::fmt::Debug for EcrToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EcrToken").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}
