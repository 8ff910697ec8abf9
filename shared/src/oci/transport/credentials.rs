//! Finds out what the registry wants to see of the configured credentials, and why it refuses them.

use std::sync::Arc;

use reqwest::{Method, StatusCode, Url};

use super::body::read_up_to;
use super::challenge::{Challenge, Challenges};
use super::client::{Client, RegistryRequest};
use super::credential_check::{CheckedCredentials, Refused};
use super::login::Login;
use super::pace::RequestPermit;
use super::realm::BearerToken;
use super::scope::Scope;
use crate::oci::error::{Error, Reason};
use crate::oci::limits::ERROR_BODY_LIMIT;

impl Client {
    /// Reads the challenge of `GET /v2/` before the first request, so that a password is used where
    /// anonymous callers are served too. Does so once, and only for a password.
    pub(super) async fn prepare_password(&self) -> Result<(), Error> {
        if !matches!(self.session.login(), Login::Password { .. }) {
            return Ok(());
        }
        self.credentials.begun.get_or_try_init(|| self.read_challenge()).await.copied()
    }

    async fn read_challenge(&self) -> Result<(), Error> {
        let url = self.endpoint(&[""], None);
        let response = self.follow(base_request(&url), None).await?;
        let status = response.status();
        let is_own = self.reach.is_own(response.url());
        let headers = response.headers().clone();
        // Read to its end, so that the connection can be used again.
        let body = read_up_to(response, ERROR_BODY_LIMIT).await.unwrap_or_default();
        if is_own {
            self.pace.learn(status, &headers, self.longest_pause());
        }
        let error = Error::status(&Method::GET, &url, status, &body);
        if error.is_transient() {
            return Err(error);
        }
        let challenges = if is_own {
            Challenges::read(self.base().url(), &headers)
        } else {
            Challenges::default()
        };
        self.session.begin(challenges, self.reach.is_safe_for_passwords());
        Ok(())
    }

    /// Returns the realm that the registry names, and its service. They show the vendor.
    pub(in crate::oci) async fn shown_realm(&self) -> Option<(Url, String)> {
        let realm = if let Some(realm) = self.session.realm() {
            realm
        } else {
            let url = self.endpoint(&[""], None);
            let response = self.follow(base_request(&url), None).await.ok()?;
            let challenges = Challenges::read(self.base().url(), response.headers());
            challenges.usable.into_iter().find_map(|challenge| match challenge {
                Challenge::Bearer { realm, .. } => Some(realm),
                Challenge::Basic => None,
            })?
        };
        Some((realm.url, realm.service.unwrap_or_default()))
    }

    /// Returns whether the registry's credentials may be sent to an address.
    pub(in crate::oci) fn may_send_credentials_to(&self, url: &Url) -> bool {
        self.reach.rule_against(url).is_none()
    }

    /// Returns the error of a request that was refused although it had the configured credentials.
    /// Checks the credentials on their own, because the registry may only refuse this request.
    pub(super) async fn refusal(&self, error: Error) -> Error {
        if !error.is_denied() {
            return error;
        }
        match self.session.login() {
            Login::Ecr(_) => error,
            Login::Anonymous => error.because(Reason::NoCredentials),
            Login::Password { .. } | Login::Token(_) => match self.check_credentials().await {
                Some(refused) => Error::CredentialsRefused {
                    url: refused.url.clone(),
                    status: refused.status,
                    codes: refused.codes.clone(),
                },
                None => error.because(Reason::NotPermitted),
            },
        }
    }

    /// Asks the realm for a token without a scope, or the registry for its base address. Returns
    /// the answer if it refuses the credentials. Concurrent callers share one request.
    async fn check_credentials(&self) -> Option<Arc<Refused>> {
        let mut checked = self.credentials.checked.lock().await;
        if let Some(recent) = checked.as_ref().filter(|checked| checked.is_recent()) {
            return recent.refused.clone();
        }
        let outcome = match (self.session.password(), self.session.realm()) {
            (Some(password), Some(realm)) => {
                BearerToken::request(&self.reach, &realm, None, Some(&password)).await.map(|_| ())
            }
            (password, _) => self.ask_base(password.as_deref()).await,
        };
        let refused = outcome.err().and_then(|error| Some(Arc::new(Refused::of(&error)?)));
        *checked = Some(CheckedCredentials::now(refused.clone()));
        refused
    }

    async fn ask_base(&self, password: Option<&str>) -> Result<(), Error> {
        let url = self.endpoint(&[""], None);
        let token = match self.session.login() {
            Login::Token(token) => Some(format!("Bearer {token}")),
            _ => None,
        };
        let response = self.follow(base_request(&url), password.or(token.as_deref())).await?;
        let status = response.status();
        let body = read_up_to(response, ERROR_BODY_LIMIT).await.unwrap_or_default();
        // With 403 the registry knows the user, and only refuses this address.
        if status == StatusCode::UNAUTHORIZED {
            return Err(Error::status(&Method::GET, &url, status, &body));
        }
        Ok(())
    }
}

fn base_request(url: &Url) -> RegistryRequest<'_> {
    RegistryRequest {
        method: &Method::GET,
        url,
        accept: "application/json",
        scope: Scope::Catalog,
        permit: RequestPermit::Usual,
    }
}
