//! GitLab: lists the registry repositories of groups, with their subgroups, and of projects (REST
//! API, "Container registry"). Without `namespaces`, lists those of the groups and projects that
//! the token's user is a member of. The list tells no time of a change.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::VendorError;
use super::paging::{encoded, numbered_page_behind};
use super::scope_pages::ScopePages;
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::oci::transport::ApiAnswer;

/// The most items that GitLab puts on a page.
const PAGE_SIZE: usize = 100;

/// What a scope begins with if its kind is known. No path in GitLab has a colon.
const GROUP: &str = "groups:";
const PROJECT: &str = "projects:";

#[derive(Deserialize)]
struct Group {
    full_path: String,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.full_path
    }
}

impl From<Project> for String {
    fn from(project: Project) -> Self {
        project.path_with_namespace
    }
}

#[derive(Deserialize)]
struct RegistryRepository {
    path: String,
}

/// Returns the groups and projects to list. A project below a listed group is left out.
///
/// # Errors
/// Fails if there are neither `namespaces` nor a token, or if the token may not read them.
pub(super) async fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    if !client.namespaces.is_empty() {
        return Ok(client.namespaces.to_vec());
    }
    if client.secret()?.is_none() {
        return Err(client.cannot_ask(
            "name groups or projects in oci.namespaces, or put a token with the right read_api as \
             the password or as apiToken into the secret of oci.credentialsSecretArn"
                .to_owned(),
        ));
    }
    let groups = format!("/api/v4/groups?all_available=false&per_page={PAGE_SIZE}&page=1");
    let groups = all::<Group>(client, groups).await?;
    let projects =
        format!("/api/v4/projects?membership=true&simple=true&per_page={PAGE_SIZE}&page=1");
    let projects = all::<Project>(client, projects).await?;
    let is_covered = |path: &str| {
        groups
            .iter()
            .any(|group| path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/')))
    };
    let groups_on_top = groups.iter().filter(|group| !is_covered(group));
    let mut scopes: Vec<String> = groups_on_top.map(|group| format!("{GROUP}{group}")).collect();
    let alone = projects.iter().filter(|project| !is_covered(project));
    scopes.extend(alone.map(|project| format!("{PROJECT}{project}")));
    Ok(scopes)
}

/// Reads all pages of a list of groups or projects.
async fn all<T: DeserializeOwned + Into<String>>(
    client: &VendorClient,
    first: String,
) -> Result<Vec<String>, VendorError> {
    let mut paths = Vec::new();
    let mut pages = ScopePages::new(client, first, PAGE_SIZE);
    let remedy = |answer: &ApiAnswer| remedy(client, answer, "it");
    while let Some(page) = pages.next::<T>(headers(client)?, remedy).await? {
        paths.extend(page.scopes);
    }
    Ok(paths)
}

/// Reads the first page of a group or project, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let first = |kind: &str, path: &str| {
        let path = encoded(path);
        format!("/api/v4/{kind}/{path}/registry/repositories?per_page={PAGE_SIZE}&page=1")
    };
    if let Some(path) = page {
        return read_page(client, scope, path).await;
    }
    if let Some(project) = scope.strip_prefix(PROJECT) {
        return read_page(client, project, &first("projects", project)).await;
    }
    let group = scope.strip_prefix(GROUP).unwrap_or(scope);
    match read_page(client, group, &first("groups", group)).await {
        Err(error) if error.has_status(StatusCode::NOT_FOUND) && group == scope => {
            read_page(client, scope, &first("projects", scope)).await
        }
        page => page,
    }
}

async fn read_page(
    client: &VendorClient,
    scope: &str,
    path: &str,
) -> Result<DatedPage, VendorError> {
    let remedy = |answer: &ApiAnswer| remedy(client, answer, scope);
    client.get_page(path, headers(client)?, remedy, |reply| take(path, reply)).await
}

fn take(path: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let repositories: Vec<RegistryRepository> = reply.json()?;
    let next = numbered_page_behind(path, reply, repositories.len(), PAGE_SIZE)?;
    let mut page = VendorPage { next, ..VendorPage::default() };
    for repository in repositories {
        // The registry's names have no capital letters, and groups may have some.
        page.add(&repository.path.to_ascii_lowercase(), None);
    }
    Ok(page)
}

fn headers(client: &VendorClient) -> Result<HeaderMap, VendorError> {
    let name = match client.credentials.secret() {
        Some(job) if job.starts_with("glcbt-") => "job-token",
        _ => "private-token",
    };
    client.headers_with(HeaderName::from_static(name), client.credentials.secret())
}

fn remedy(client: &VendorClient, answer: &ApiAnswer, scope: &str) -> String {
    let secret = client.credentials.secret().unwrap_or_default();
    if secret.starts_with("gldt-") {
        return "A deploy token lists nothing: put an access token with the right read_api into \
                the secret as apiToken"
            .to_owned();
    }
    match answer.status {
        StatusCode::NOT_FOUND => format!(
            "It shows no group and no project {scope} to these credentials. Correct \
             oci.namespaces, or let the token see it"
        ),
        StatusCode::UNAUTHORIZED if secret.is_empty() => {
            "Put an access token with the right read_api into the secret of \
             oci.credentialsSecretArn, as the password or as apiToken"
                .to_owned()
        }
        StatusCode::UNAUTHORIZED => {
            "The token is wrong or expired: renew it in the secret of oci.credentialsSecretArn"
                .to_owned()
        }
        StatusCode::FORBIDDEN => {
            "The token lacks the right read_api, or its user may not read the registry there: put \
             a token with that right into the secret as apiToken"
                .to_owned()
        }
        _ => "Check what answers at this address".to_owned(),
    }
}
