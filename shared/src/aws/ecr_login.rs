//! The login to an ECR registry: `GetAuthorizationToken`.

use std::time::{Duration, SystemTime};

use aws_sdk_ecr::Client;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Error, config};
use crate::domain::Region;

/// A token is replaced this long before it expires: a request that is under way then still finds it
/// valid.
const RENEW_BEFORE: Duration = Duration::from_mins(10);

/// A token that is refused is replaced no more often than this: the registry may refuse every one.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// How long a token is valid where the service does not say.
const VALIDITY: Duration = Duration::from_hours(12);

/// The login to the ECR registries of one region. The token is cached: the service limits how often
/// it is asked for.
#[derive(Debug)]
pub struct EcrLogin {
    region: Region,
    token: Mutex<Option<Token>>,
}

struct Token {
    authorization: String,
    asked_at: Instant,
    renew_at: SystemTime,
}

impl EcrLogin {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self { region, token: Mutex::new(None) }
    }

    /// What [`EcrLogin::authorization`] gave last, without asking for anything.
    pub async fn known(&self) -> Option<String> {
        self.token.lock().await.as_ref().map(|token| token.authorization.clone())
    }

    /// What the `Authorization` header of a request to the registry holds. One call, however many
    /// ask at a time, and none while the token is valid. `refused` is what the registry did not
    /// take: it is replaced, once a minute.
    ///
    /// # Errors
    /// When the service gives no token.
    pub async fn authorization(&self, refused: Option<&str>) -> Result<String, Error> {
        let mut cached = self.token.lock().await;
        if let Some(token) = &*cached
            && token.renew_at > SystemTime::now()
            && (Some(token.authorization.as_str()) != refused
                || token.asked_at.elapsed() < ASK_AGAIN)
        {
            return Ok(token.authorization.clone());
        }
        // Boxed: the SDK's futures are large, and every request to a registry would carry this one.
        let token = self.ask().boxed().await?;
        let authorization = token.authorization.clone();
        *cached = Some(token);
        Ok(authorization)
    }

    async fn ask(&self) -> Result<Token, Error> {
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
            return Err(Error::new(what(), "GetAuthorizationToken gave no token"));
        };
        let expires_at = data
            .and_then(|data| data.expires_at()?.secs().try_into().ok())
            .map(Duration::from_secs);
        let expires_at =
            expires_at.map_or(SystemTime::now() + VALIDITY, |since| SystemTime::UNIX_EPOCH + since);
        // Two clocks may differ: a new token is good for a moment at the least.
        let renew_at = (expires_at - RENEW_BEFORE).max(SystemTime::now() + ASK_AGAIN);
        Ok(Token { authorization: format!("Basic {token}"), asked_at, renew_at })
    }
}

/// Shows nothing of the token.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}
