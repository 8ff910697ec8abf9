//! Quay: lists the repositories of organisations and users (API v1). Without a token, lists public
//! ones.

use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use time::OffsetDateTime;

use super::error::VendorError;
use super::paging::encoded;
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::oci::transport::ApiAnswer;

#[derive(Deserialize)]
struct QuayPage {
    repositories: Vec<QuayRepository>,
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct QuayRepository {
    namespace: String,
    name: String,
    kind: Option<String>,
    #[serde(default, with = "time::serde::timestamp::option")]
    last_modified: Option<OffsetDateTime>,
}

/// Returns the organisations and users to list.
///
/// # Errors
/// Fails without `namespaces`, because Quay would list every public repository.
pub(super) fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    if client.namespaces.is_empty() {
        return Err(client
            .cannot_ask("name the organisations and users to list in oci.namespaces".to_owned()));
    }
    Ok(client.namespaces.to_vec())
}

/// Reads the first page of a namespace, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let first = first_page(scope);
    let path = page.unwrap_or(&first);
    // A robot's password is no token for the API.
    let token = client.secret()?.and(client.credentials.token.as_deref());
    let authorization = token.map(|token| format!("Bearer {token}"));
    let headers = client.headers_with(AUTHORIZATION, authorization.as_deref())?;
    client.get_page(path, headers, |answer| remedy(answer, scope), |reply| take(scope, reply)).await
}

fn first_page(scope: &str) -> String {
    format!("/api/v1/repository?namespace={}&public=true&last_modified=true", encoded(scope))
}

fn take(scope: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let answer: QuayPage = reply.json()?;
    // The token of the next page is the server's own, and is sent back as it came.
    let next = answer.next_page.filter(|token| !token.is_empty());
    let next = next.map(|token| format!("{}&next_page={}", first_page(scope), encoded(&token)));
    let mut page = VendorPage { next, ..VendorPage::default() };
    for repository in answer.repositories {
        // The other kind has no manifests.
        if repository.kind.is_none_or(|kind| kind == "image") {
            let name = format!("{}/{}", repository.namespace, repository.name);
            page.add(&name, repository.last_modified);
        }
    }
    Ok(page)
}

fn remedy(answer: &ApiAnswer, scope: &str) -> String {
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "Put an OAuth token of an application with the right repo:read into the secret of \
             oci.credentialsSecretArn as apiToken. A robot account pulls, but it lists nothing"
                .to_owned()
        }
        StatusCode::NOT_FOUND => {
            format!("It shows no organisation and no user {scope}: correct oci.namespaces")
        }
        _ => "Check what answers at this address".to_owned(),
    }
}
