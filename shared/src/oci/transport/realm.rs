//! Gets tokens from a realm ("Token Authentication Specification" of Docker Distribution).

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, Url};
use tokio::time::{Instant, timeout};

use super::body::read_up_to;
use super::challenge::Realm;
use super::reach::Reach;
use super::token::IssuedToken;
use crate::oci::error::{Error, codes_in};
use crate::oci::limits::{REALM_DEADLINE, TOKEN_LIMIT};
use crate::oci::redact::redacted;

/// A token as a request sends it.
pub(super) struct BearerToken {
    pub(super) authorization: String,
    pub(super) expires_at: Instant,
}

impl BearerToken {
    /// Requests a token for `scope`, with the password if there is one. Without a scope the answer
    /// only shows whether the realm accepts the password.
    ///
    /// # Errors
    /// [`Error::RealmRefused`] if the realm must not have the password. Otherwise [`Error::Realm`].
    pub(super) async fn request(
        reach: &Reach,
        realm: &Realm,
        scope: Option<&str>,
        password: Option<&str>,
    ) -> Result<Self, Error> {
        if let Some(rule) = password.and_then(|_| reach.rule_against(&realm.url)) {
            return Err(Error::RealmRefused { url: redacted(&realm.url), rule });
        }
        let url = address(realm, scope);
        let within_time = timeout(REALM_DEADLINE, ask(reach, &url, password)).await;
        let late =
            Error::TimedOut { method: Method::GET, url: redacted(&url), limit: REALM_DEADLINE };
        within_time
            .unwrap_or(Err(late))
            .map_err(|source| Error::Realm { url: redacted(&url), source: Box::new(source) })
    }

    pub(super) fn is_valid(&self) -> bool {
        self.expires_at > Instant::now()
    }
}

fn address(realm: &Realm, scope: Option<&str>) -> Url {
    let mut url = realm.url.clone();
    let service = realm.service.as_deref().map(|service| ("service", service));
    let scope = scope.map(|scope| ("scope", scope));
    for (name, value) in scope.into_iter().chain(service) {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

async fn ask(reach: &Reach, url: &Url, password: Option<&str>) -> Result<BearerToken, Error> {
    let mut request = reach.client_for(url)?.get(url.clone());
    if let Some(password) = password {
        request = request.header(AUTHORIZATION, password);
    }
    let asked_at = Instant::now();
    let response =
        request.send().await.map_err(|error| Error::no_answer(Method::GET, url, error))?;
    let status = response.status();
    let body = read_up_to(response, TOKEN_LIMIT).await;
    if !status.is_success() {
        let codes = codes_in(&body.unwrap_or_default());
        let url = redacted(url);
        return Err(Error::Status { method: Method::GET, url, status, codes, reason: None });
    }
    let no_token = || Error::NoToken { url: redacted(url) };
    let body = match body {
        // Not `TooLarge`, because that error would count against the registry's content.
        Err(Error::TooLarge { .. }) => return Err(no_token()),
        other => other?,
    };
    let token = IssuedToken::read(&body).ok_or_else(no_token)?;
    // The token is used for nine tenths of its validity, so that it does not expire during a
    // request.
    Ok(BearerToken {
        authorization: format!("Bearer {}", token.text),
        expires_at: asked_at + token.validity * 9 / 10,
    })
}
