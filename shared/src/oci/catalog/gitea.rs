//! Gitea and Forgejo: list the container packages of owners (API v1). The list has a row per
//! version, so that a repository comes several times, and tells no deletion.

use std::collections::HashSet;

use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;

use super::error::VendorError;
use super::paging::{encoded, numbered_page_behind};
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::oci::transport::ApiAnswer;

/// The most items that Gitea puts on a page, unless its administrator chose fewer.
const PAGE_SIZE: usize = 50;

#[derive(Deserialize)]
struct Version {
    name: String,
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    login: String,
}

/// Returns the owners to list.
///
/// # Errors
/// Fails without `namespaces`, because Gitea lists the packages of one owner.
pub(super) fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    client.secret()?;
    if client.namespaces.is_empty() {
        return Err(client.cannot_ask(
            "name the owners to list in oci.namespaces, or set oci.catalog to \"oci\", because its \
             registry has a catalog"
                .to_owned(),
        ));
    }
    Ok(client.namespaces.to_vec())
}

/// Reads the first page of an owner, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let owner = encoded(scope);
    let first = format!("/api/v1/packages/{owner}?type=container&limit={PAGE_SIZE}&page=1");
    let path = page.unwrap_or(&first);
    let token = client.credentials.token.as_ref().map(|token| format!("token {token}"));
    let authorization = token.or_else(|| client.credentials.basic());
    let headers = client.headers_with(AUTHORIZATION, authorization.as_deref())?;
    client.get_page(path, headers, |answer| remedy(answer, scope), |reply| take(path, reply)).await
}

/// Takes each repository of a page once. The pass leaves out those that it has visited, so that the
/// pages need no memory of each other.
fn take(path: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let versions: Vec<Version> = reply.json()?;
    let next = numbered_page_behind(path, reply, versions.len(), PAGE_SIZE)?;
    let mut page = VendorPage { next, ..VendorPage::default() };
    let mut seen = HashSet::new();
    for version in versions {
        // Owners keep their case, and the registry's names have none.
        let name = format!("{}/{}", version.owner.login, version.name).to_ascii_lowercase();
        if seen.insert(name.clone()) {
            page.add(&name, None);
        }
    }
    Ok(page)
}

fn remedy(answer: &ApiAnswer, scope: &str) -> String {
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "Put an access token with the right read:package into the secret of \
             oci.credentialsSecretArn as apiToken"
                .to_owned()
        }
        StatusCode::NOT_FOUND => {
            format!("It shows no owner {scope} to these credentials: correct oci.namespaces")
        }
        _ => "Check what answers at this address".to_owned(),
    }
}
