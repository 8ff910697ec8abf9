//! Sends one request: adds the credentials, follows redirects, and answers a challenge.

use reqwest::header::{ACCEPT, AUTHORIZATION, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};

use super::body::read_up_to;
use super::challenge::Challenges;
use super::client::{Client, RegistryRequest};
use crate::oci::error::{Error, Reason};
use crate::oci::limits::{ERROR_BODY_LIMIT, REDIRECTS};
use crate::oci::redact::redacted;

impl Client {
    /// Sends a request, and returns its answer if that is a success.
    pub(super) async fn exchange(&self, request: RegistryRequest<'_>) -> Result<Response, Error> {
        let RegistryRequest { scope, .. } = request;
        self.prepare_password().await?;
        let authorization = match self.session.authorization(&self.reach, scope).await {
            Ok(authorization) => authorization,
            Err(error) => return Err(self.refusal(error).await),
        };
        let mut response = self.follow(request, authorization.as_deref()).await?;
        let mut reason = None;
        // Only the registry itself may ask for credentials.
        if response.status() == StatusCode::UNAUTHORIZED && self.reach.is_own(response.url()) {
            let challenges = Challenges::read(self.base().url(), response.headers());
            if challenges.usable.is_empty() {
                reason = challenges.defect.clone().map(Reason::Challenge);
            }
            let sent = authorization.as_deref();
            match self.session.answer(&self.reach, scope, sent, challenges).await {
                Ok(Some(better)) => response = self.follow(request, Some(&better)).await?,
                Ok(None) => {}
                Err(error) => return Err(self.refusal(error).await),
            }
        }
        let is_own = self.reach.is_own(response.url());
        if is_own {
            self.pace.learn(response.status(), response.headers(), self.longest_pause());
        }
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.failure(request, response, reason).await)
    }

    /// Makes the error of an answer, with its reason as far as the client knows it.
    async fn failure(
        &self,
        request: RegistryRequest<'_>,
        response: Response,
        reason: Option<Reason>,
    ) -> Error {
        let (status, answered) = (response.status(), response.url().clone());
        let body = read_up_to(response, ERROR_BODY_LIMIT).await.unwrap_or_default();
        let error = Error::status(request.method, request.url, status, &body);
        if !self.reach.is_own(&answered) {
            let https = self.reach.on_https(&answered).filter(|_| error.is_denied());
            return match https {
                Some(https) => Error::AnswersOnHttps { url: redacted(request.url), https },
                // Another host's answer says nothing about the credentials.
                None => error,
            };
        }
        if let Some(reason) = reason {
            return error.because(reason);
        }
        let path = self.base().url().path().trim_end_matches('/');
        let is_unexpected = request.method == Method::GET && error.is_without_codes();
        if is_unexpected && error.is_catalog_refused() && !path.is_empty() {
            return error.because(Reason::AddressHasPath(path.to_owned()));
        }
        self.refusal(error).await
    }

    /// Sends a request and follows its redirects. After a redirect leaves the registry's origin,
    /// `Authorization` is dropped for good.
    pub(super) async fn follow(
        &self,
        request: RegistryRequest<'_>,
        authorization: Option<&str>,
    ) -> Result<Response, Error> {
        let RegistryRequest { method, accept, .. } = request;
        let mut url = request.url.clone();
        let mut authorization = authorization;
        for _ in 0..=REDIRECTS {
            authorization = authorization.filter(|_| self.reach.is_own(&url));
            let client = self.reach.client_for(&url).map_err(|refused| {
                let on_https = self.reach.on_https(&url);
                on_https.map_or(refused, |https| Error::AnswersOnHttps {
                    url: redacted(request.url),
                    https,
                })
            })?;
            let mut sending = client.request(method.clone(), url.clone()).header(ACCEPT, accept);
            if let Some(authorization) = authorization {
                sending = sending.header(AUTHORIZATION, authorization);
            }
            self.pace.count();
            let response = sending
                .send()
                .await
                .map_err(|error| Error::no_answer(method.clone(), &url, error))?;
            match target_of(&url, &response) {
                Some(target) => url = target,
                None => return Ok(response),
            }
            // The credentials would be dropped, so nothing that needs them could be read.
            if let Some(https) = self.reach.on_https(&url).filter(|_| !self.is_anonymous()) {
                return Err(Error::AnswersOnHttps { url: redacted(request.url), https });
            }
        }
        Err(Error::TooManyRedirects { url: redacted(&url) })
    }
}

/// Returns the address that a redirect leads to.
fn target_of(url: &Url, response: &Response) -> Option<Url> {
    let target = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
    url.join(target?.to_str().ok()?).ok()
}
