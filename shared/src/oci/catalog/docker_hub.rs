//! Docker Hub: lists the repositories of namespaces (Hub API v2). Without `namespaces`, lists those
//! of the user.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::access_token::AccessToken;
use super::error::VendorError;
use super::paging::{encoded, next_number};
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::helm::CONFIG_MEDIA_TYPE;
use crate::oci::transport::{ApiAnswer, ApiRequest};

/// The most items that Docker Hub puts on a page.
const PAGE_SIZE: usize = 100;

#[derive(Deserialize)]
struct HubPage {
    next: Option<String>,
    results: Vec<HubRepository>,
}

#[derive(Deserialize)]
struct HubRepository {
    namespace: String,
    name: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    last_updated: Option<OffsetDateTime>,
    #[serde(default)]
    content_types: Option<Vec<String>>,
    #[serde(default)]
    media_types: Option<Vec<String>>,
}

/// Returns the namespaces to list.
///
/// # Errors
/// Fails if there are neither `namespaces` nor a user.
pub(super) fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    if !client.namespaces.is_empty() {
        return Ok(client.namespaces.iter().map(|name| name.to_ascii_lowercase()).collect());
    }
    match &client.credentials.username {
        Some(username) => Ok(vec![username.to_ascii_lowercase()]),
        None => Err(client.cannot_ask(
            "name the organisations and users to list in oci.namespaces. Private repositories need \
             a secret with username and password, and its ARN in oci.credentialsSecretArn"
                .to_owned(),
        )),
    }
}

/// Reads the first page of a namespace, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let namespace = encoded(scope);
    let first = format!("/v2/namespaces/{namespace}/repositories?page_size={PAGE_SIZE}&page=1");
    let path = page.unwrap_or(&first);
    let mut authorization = None;
    if let (Some(identifier), Some(secret)) = (&client.credentials.username, client.secret()?) {
        let token = client.access(|| sign_in(client, identifier, secret)).await?;
        authorization = Some(format!("Bearer {token}"));
    }
    let headers = client.headers_with(AUTHORIZATION, authorization.as_deref())?;
    let page = client
        .get_page(path, headers, |answer| remedy(client, answer, scope), |reply| take(path, reply))
        .await;
    if page.as_ref().is_err_and(|error| error.has_status(StatusCode::UNAUTHORIZED)) {
        client.forget_access().await;
    }
    page
}

/// Exchanges the password for a token of the API.
async fn sign_in(
    client: &VendorClient,
    identifier: &str,
    secret: &str,
) -> Result<AccessToken, VendorError> {
    let json_type = HeaderValue::from_static("application/json");
    let request = ApiRequest {
        method: Method::POST,
        path: "/v2/auth/token",
        headers: HeaderMap::from_iter([(CONTENT_TYPE, json_type)]),
        body: Some(json!({"identifier": identifier, "secret": secret}).to_string()),
    };
    let answer = client.api.send(&request).await?;
    if !answer.status.is_success() {
        let remedy = "It does not accept username and password of oci.credentialsSecretArn: renew \
                      them, or put an access token into the secret as apiToken";
        return Err(client.refused("POST", &answer, remedy.to_owned()));
    }
    AccessToken::read(&answer.body)
        .ok_or_else(|| client.cannot_ask("its answer to the login has no token".to_owned()))
}

fn take(path: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let answer: HubPage = reply.json()?;
    // Uses only the fact that there is a next page, because the address may lead to another host.
    let next = answer.next.and_then(|_| next_number(path));
    let mut page = VendorPage { next, ..VendorPage::default() };
    for repository in answer.results {
        if repository.may_have_charts() {
            let name = format!("{}/{}", repository.namespace, repository.name);
            page.add(&name, repository.last_updated);
        }
    }
    Ok(page)
}

impl HubRepository {
    /// Returns false if all that Docker Hub knows about the contents is that they are images.
    fn may_have_charts(&self) -> bool {
        let has_chart =
            self.media_types.iter().flatten().any(|media_type| media_type == CONFIG_MEDIA_TYPE);
        let kinds = self.content_types.as_deref().unwrap_or_default();
        has_chart || kinds.is_empty() || kinds.iter().any(|kind| kind != "image")
    }
}

fn remedy(client: &VendorClient, answer: &ApiAnswer, scope: &str) -> String {
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => "It limits the rate of requests".to_owned(),
        StatusCode::NOT_FOUND => {
            format!("It shows no namespace {scope} to these credentials: correct oci.namespaces")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !client.credentials.has_secret() => {
            "Put username and password into a secret, and its ARN into oci.credentialsSecretArn"
                .to_owned()
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "Let the user or its token read this namespace".to_owned()
        }
        _ => "Check what answers at this address".to_owned(),
    }
}
