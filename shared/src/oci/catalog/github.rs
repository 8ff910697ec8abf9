//! GitHub Packages: lists the container packages of organisations and users (REST API, "List
//! packages"). Without `namespaces`, lists those of the token's user and of the organisations that
//! the user is a member of.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use time::OffsetDateTime;

use super::error::VendorError;
use super::paging::numbered_page_behind;
use super::scope_pages::ScopePages;
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::oci::transport::ApiAnswer;

/// The most items that GitHub puts on a page.
const PAGE_SIZE: usize = 100;

/// The scope of the token's own user. No account has such a name.
const OWN: &str = "(user)";

/// The header with the rights of a classic token.
const SCOPES: &str = "x-oauth-scopes";

/// The rights that let a token read packages, or organisations.
const READS_PACKAGES: [&str; 2] = ["read:packages", "write:packages"];
const READS_ORGANISATIONS: [&str; 4] = ["read:org", "write:org", "admin:org", "user"];

#[derive(Deserialize)]
struct GitHubPackage {
    name: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    owner: Option<GitHubAccount>,
}

#[derive(Deserialize)]
struct GitHubAccount {
    login: String,
}

impl From<GitHubAccount> for String {
    fn from(account: GitHubAccount) -> Self {
        account.login.to_ascii_lowercase()
    }
}

/// Returns the accounts to list.
///
/// # Errors
/// Fails without a token, or if the token may not read the organisations of its user.
pub(super) async fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    if client.secret()?.is_none() {
        return Err(client.cannot_ask(
            "it needs a classic personal access token with the rights read:packages and read:org. \
             Put username and password, with the token as the password, or the token as apiToken, \
             into a secret, and its ARN into oci.credentialsSecretArn. Or name the repositories in \
             oci.repositories"
                .to_owned(),
        ));
    }
    if !client.namespaces.is_empty() {
        return Ok(client.namespaces.iter().map(|name| name.to_ascii_lowercase()).collect());
    }
    let mut scopes = vec![OWN.to_owned()];
    let first = format!("/user/orgs?per_page={PAGE_SIZE}&page=1");
    let mut pages = ScopePages::new(client, first, PAGE_SIZE);
    let remedy = |answer: &ApiAnswer| remedy(client, answer, "read:org");
    while let Some(page) = pages.next::<GitHubAccount>(headers(client)?, remedy).await? {
        if page.scopes.is_empty() && lacks(&page.headers, &READS_ORGANISATIONS) {
            return Err(client.cannot_ask(lacks_right("read:org")));
        }
        scopes.extend(page.scopes);
    }
    Ok(scopes)
}

/// Reads the first page of an account, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let first = |place: &str| {
        format!("/{place}/packages?package_type=container&per_page={PAGE_SIZE}&page=1")
    };
    match page {
        Some(path) => read_page(client, scope, path).await,
        None if scope == OWN => read_page(client, scope, &first("user")).await,
        None => match read_page(client, scope, &first(&format!("orgs/{scope}"))).await {
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => {
                read_page(client, scope, &first(&format!("users/{scope}"))).await
            }
            page => page,
        },
    }
}

async fn read_page(
    client: &VendorClient,
    scope: &str,
    path: &str,
) -> Result<DatedPage, VendorError> {
    let remedy = |answer: &ApiAnswer| match answer.status {
        StatusCode::NOT_FOUND => format!(
            "It shows this token no organisation and no user {scope}. Correct oci.namespaces, or \
             let the token see it"
        ),
        _ => remedy(client, answer, "read:packages"),
    };
    client.get_page(path, headers(client)?, remedy, |reply| take(scope, path, reply)).await
}

fn take(scope: &str, path: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let packages: Vec<GitHubPackage> = reply.json()?;
    let next = numbered_page_behind(path, reply, packages.len(), PAGE_SIZE)?;
    let mut page = VendorPage { next, ..VendorPage::default() };
    for package in packages {
        let owner = package.owner.map_or_else(|| scope.to_owned(), |owner| owner.login);
        // Accounts keep their case, and GHCR's names have none.
        let name = format!("{owner}/{}", package.name).to_ascii_lowercase();
        page.add(&name, package.updated_at);
    }
    Ok(page)
}

/// Returns what to do if the whole list is empty.
pub(super) fn remedy_for_nothing(client: &VendorClient) -> String {
    let kind = client.credentials.secret().and_then(unusable_kind);
    kind.map_or_else(
        || {
            "Let the token read packages (read:packages), and the organisations of its user \
             (read:org) or set oci.namespaces; or name the repositories in oci.repositories"
                .to_owned()
        },
        classic_wanted,
    )
}

fn headers(client: &VendorClient) -> Result<HeaderMap, VendorError> {
    let authorization = client.credentials.secret().map(|token| format!("Bearer {token}"));
    let mut headers = client.headers_with(AUTHORIZATION, authorization.as_deref())?;
    let version = HeaderName::from_static("x-github-api-version");
    headers.insert(version, HeaderValue::from_static("2022-11-28"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    Ok(headers)
}

/// Explains an answer to a call that needs a right.
fn remedy(client: &VendorClient, answer: &ApiAnswer, right: &str) -> String {
    let token = client.credentials.secret().unwrap_or_default();
    if let Some(kind) = unusable_kind(token) {
        return classic_wanted(kind);
    }
    let rights: &[&str] = if right == "read:org" { &READS_ORGANISATIONS } else { &READS_PACKAGES };
    match answer.status {
        StatusCode::UNAUTHORIZED => {
            "The token is wrong or expired: renew it in the secret of oci.credentialsSecretArn"
                .to_owned()
        }
        _ if answer.headers.contains_key("x-github-sso") => {
            "Authorise the token for the single sign-on of the organisation".to_owned()
        }
        StatusCode::BAD_REQUEST => classic_wanted("of another kind"),
        _ if lacks(&answer.headers, rights) || answer.status == StatusCode::FORBIDDEN => {
            lacks_right(right)
        }
        _ => "Check what answers at this address".to_owned(),
    }
}

fn lacks_right(right: &str) -> String {
    let or = match right {
        "read:org" => ", or set oci.namespaces to the organisations and users to list",
        _ => ", or name the repositories in oci.repositories",
    };
    format!("The token lacks the right {right}: give it to the token{or}")
}

/// Returns whether the rights of a classic token are known, and none of `rights` is among them.
fn lacks(headers: &HeaderMap, rights: &[&str]) -> bool {
    let scopes = headers.get(SCOPES).and_then(|scopes| scopes.to_str().ok());
    scopes.is_some_and(|scopes| !scopes.split(',').any(|scope| rights.contains(&scope.trim())))
}

/// Names the kind of a token that GitHub does not take for lists of packages.
fn unusable_kind(token: &str) -> Option<&'static str> {
    match token {
        token if token.starts_with("github_pat_") => Some("a fine-grained one (github_pat_…)"),
        token if token.starts_with("ghs_") => Some("one of Actions or of an App (ghs_…)"),
        _ => None,
    }
}

fn classic_wanted(kind: &str) -> String {
    format!(
        "GitHub lists packages for classic personal access tokens only, and this one is {kind}. \
         Put a classic token with read:packages and read:org into the secret as apiToken"
    )
}
