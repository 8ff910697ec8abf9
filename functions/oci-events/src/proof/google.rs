//! Proofs by an ID token of Google's, which Pub/Sub sends as a bearer token.
//!
//! <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>

use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{ClaimsVerificationError, ClientId, IssuerUrl, Nonce};
use shared::config::GoogleAccount;

use crate::cached::Cached;

/// The issuer of the tokens.
const ISSUER: &str = "https://accounts.google.com";

/// The public keys of the issuer.
const KEYS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// Time for one request for the keys.
const REQUEST: Duration = Duration::from_secs(2);

/// Largest answer with the keys, in bytes.
const KEYS_MAX: usize = 64 * 1024;

/// Google's public keys.
#[derive(Debug)]
pub(crate) struct GoogleKeys {
    http: reqwest::Client,
    url: String,
    keys: Cached<CoreJsonWebKeySet>,
}

/// What a token turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum TokenVerdict {
    Right,
    Wrong,
    /// Signed by a key that is not among those known.
    UnknownKey,
}

impl GoogleKeys {
    /// Makes a client. `url` replaces the address of the keys.
    ///
    /// # Errors
    /// The TLS configuration cannot be used.
    pub(crate) fn new(url: Option<String>) -> anyhow::Result<Self> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(REQUEST);
        let http = http.redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { http, url: url.unwrap_or_else(|| KEYS_URL.to_owned()), keys: Cached::new() })
    }

    /// Returns whether the request has a token of Google's for this account.
    ///
    /// # Errors
    /// The keys cannot be fetched.
    pub(super) async fn check(
        &self,
        account: &GoogleAccount,
        headers: &HeaderMap,
    ) -> anyhow::Result<bool> {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some(Ok(token)) = token.map(|(_, token)| token.trim().parse::<CoreIdToken>()) else {
            return Ok(false);
        };
        let keys = self.keys.get(self.fetch()).await?;
        let verdict = match verdict(&token, account, &keys)? {
            TokenVerdict::UnknownKey => {
                let keys = self.keys.get_again(self.fetch()).await?;
                verdict(&token, account, &keys)?
            }
            other => other,
        };
        Ok(verdict == TokenVerdict::Right)
    }

    async fn fetch(&self) -> anyhow::Result<CoreJsonWebKeySet> {
        let answer =
            self.http.get(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.context("cannot fetch Google's keys")?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.context("cannot fetch Google's keys")? {
            body.extend_from_slice(&part);
            ensure!(body.len() <= KEYS_MAX, "Google's keys have more than {KEYS_MAX} bytes");
        }
        serde_json::from_slice(&body).context("Google's keys cannot be read")
    }
}

/// Checks signature, issuer, audience, time, and the verified e-mail address.
fn verdict(
    token: &CoreIdToken,
    account: &GoogleAccount,
    keys: &CoreJsonWebKeySet,
) -> anyhow::Result<TokenVerdict> {
    let audience = ClientId::new(account.audience.clone());
    let issuer = IssuerUrl::new(ISSUER.to_owned())?;
    let verifier = CoreIdTokenVerifier::new_public_client(audience, issuer, keys.clone())
        .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256]);
    // Pub/Sub's tokens have no nonce.
    let claims = match token.claims(&verifier, |_: Option<&Nonce>| Ok(())) {
        Ok(claims) => claims,
        Err(ClaimsVerificationError::SignatureVerification(_)) => {
            return Ok(TokenVerdict::UnknownKey);
        }
        Err(_) => return Ok(TokenVerdict::Wrong),
    };
    let is_account = claims.email().is_some_and(|email| email.as_str() == account.email)
        && claims.email_verified() == Some(true);
    Ok(if is_account { TokenVerdict::Right } else { TokenVerdict::Wrong })
}
