//! Google's Artifact Registry: lists the packages of repositories (API v1). Its namespaces are
//! `project/location/repository`.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;
use url::form_urlencoded;

use super::access_token::AccessToken;
use super::credentials::ListingCredentials;
use super::error::VendorError;
use super::paging::{decoded, encoded};
use super::service_account::ServiceAccountKey;
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::domain::RegistryUrl;
use crate::oci::transport::{ApiAnswer, ApiRequest};

/// The most items that Artifact Registry puts on a page.
const PAGE_SIZE: usize = 1000;

/// The user's name beside an access token instead of a key.
const BY_ACCESS_TOKEN: &str = "oauth2accesstoken";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GooglePage {
    packages: Vec<GooglePackage>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GooglePackage {
    name: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    update_time: Option<OffsetDateTime>,
}

/// Returns the address that issues access tokens, if the secret has a key.
pub(super) fn token_address(credentials: &ListingCredentials) -> Option<RegistryUrl> {
    let key = ServiceAccountKey::read(credentials.secret()?).ok()?;
    Some(key.token_address()?.0)
}

/// Returns the repositories of Artifact Registry to list.
///
/// # Errors
/// Fails without `namespaces` or without a secret, because Google lists nothing then.
pub(super) fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    if client.namespaces.is_empty() {
        return Err(client.cannot_ask(
            "name what to list in oci.namespaces, as project/location/repository".to_owned(),
        ));
    }
    if client.secret()?.is_none() {
        return Err(client.cannot_ask(
            "put the username _json_key, and the key of a service account as the password, into a \
             secret, and its ARN into oci.credentialsSecretArn"
                .to_owned(),
        ));
    }
    Ok(client.namespaces.to_vec())
}

/// Reads the first page of a repository of Artifact Registry, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let first = first_page(scope);
    let path = page.unwrap_or(&first);
    let token = access(client).await?;
    let headers = client.headers_with(AUTHORIZATION, Some(&format!("Bearer {token}")))?;
    let remedy = |answer: &ApiAnswer| remedy(answer, scope);
    let page = client.get_page(path, headers, remedy, |reply| take(scope, reply)).await;
    if page.as_ref().is_err_and(|error| error.has_status(StatusCode::UNAUTHORIZED)) {
        client.forget_access().await;
    }
    page
}

fn first_page(scope: &str) -> String {
    let mut parts = scope.splitn(3, '/').map(encoded);
    let mut part = || parts.next().unwrap_or_default();
    let (project, location, repository) = (part(), part(), part());
    format!(
        "/v1/projects/{project}/locations/{location}/repositories/{repository}/packages?\
         pageSize={PAGE_SIZE}"
    )
}

async fn access(client: &VendorClient) -> Result<String, VendorError> {
    let secret = client.secret()?.unwrap_or_default();
    if client.credentials.username.as_deref() == Some(BY_ACCESS_TOKEN) {
        return Ok(secret.to_owned());
    }
    client.access(|| exchange(client, secret)).await
}

/// Exchanges an assertion that the key signs for an access token.
async fn exchange(client: &VendorClient, key: &str) -> Result<AccessToken, VendorError> {
    let unusable = |reason: &str| client.cannot_ask(reason.to_owned());
    let key = ServiceAccountKey::read(key).map_err(unusable)?;
    let assertion = key.assertion(OffsetDateTime::now_utc().unix_timestamp()).map_err(unusable)?;
    let (Some(issuer), Some((_, path))) = (&client.issuer, key.token_address()) else {
        return Err(unusable("the key's token_uri is no address"));
    };
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .append_pair("assertion", &assertion)
        .finish();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let (method, headers) = (Method::POST, HeaderMap::from_iter([(CONTENT_TYPE, form)]));
    let request = ApiRequest { method, path: &path, headers, body: Some(body) };
    let answer = issuer.send(&request).await?;
    if !answer.status.is_success() {
        let remedy = "The key is wrong, or it was deleted or disabled: renew it in the secret of \
                      oci.credentialsSecretArn";
        return Err(client.refused("POST", &answer, remedy.to_owned()));
    }
    AccessToken::read(&answer.body).ok_or_else(|| unusable("its answer to the login has no token"))
}

fn take(scope: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let answer: GooglePage = reply.json()?;
    let next = answer.next_page_token.filter(|token| !token.is_empty());
    let next = next.map(|token| format!("{}&pageToken={}", first_page(scope), encoded(&token)));
    let mut page = VendorPage { next, ..VendorPage::default() };
    let mut parts = scope.splitn(3, '/');
    let (project, repository) = (parts.next().unwrap_or_default(), parts.nth(1));
    // A project of a domain, `example.com:project`, is two segments in a repository's name.
    let prefix = format!("{}/{}", project.replace(':', "/"), repository.unwrap_or_default());
    for package in answer.packages {
        let name = package.name.rsplit_once("/packages/").map_or(&*package.name, |(_, name)| name);
        page.add(&format!("{prefix}/{}", decoded(name)), package.update_time);
    }
    Ok(page)
}

fn remedy(answer: &ApiAnswer, scope: &str) -> String {
    match answer.status {
        StatusCode::UNAUTHORIZED => {
            "Renew the key of the service account in the secret of oci.credentialsSecretArn"
                .to_owned()
        }
        StatusCode::FORBIDDEN => format!(
            "Give the service account the role Artifact Registry Reader \
             (roles/artifactregistry.reader) for {scope}"
        ),
        StatusCode::NOT_FOUND => {
            format!("There is no {scope}: correct oci.namespaces (project/location/repository)")
        }
        _ => "Check what answers at this address".to_owned(),
    }
}
