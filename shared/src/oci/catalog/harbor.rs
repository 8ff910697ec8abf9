//! Harbor: lists the repositories of projects (API v2.0). Without `namespaces`, lists those of all
//! projects that the user may see. Its time of a change was seen to rise with every push and
//! deletion, and with pulls.

use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use time::OffsetDateTime;

use super::error::VendorError;
use super::paging::{encoded, numbered_page_behind};
use super::vendor_client::{DatedPage, VendorClient, VendorReply};
use super::vendor_page::VendorPage;
use crate::oci::transport::ApiAnswer;

/// The most items that Harbor puts on a page.
const PAGE_SIZE: usize = 100;

/// The scope of all projects. No project has such a name.
const ALL: &str = "(all)";

#[derive(Deserialize)]
struct HarborRepository {
    name: String,
    #[serde(default, with = "time::serde::rfc3339::option")]
    update_time: Option<OffsetDateTime>,
}

/// Returns the projects to list.
///
/// # Errors
/// Fails if a password must not be sent to Harbor.
pub(super) fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    client.secret()?;
    let all = || vec![ALL.to_owned()];
    Ok(if client.namespaces.is_empty() { all() } else { client.namespaces.to_vec() })
}

/// Reads the first page of a project, or the page at a path.
pub(super) async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    let place = match scope {
        ALL => String::new(),
        // Harbor decodes a name in a path twice.
        project => format!("/projects/{}", encoded(&encoded(project))),
    };
    let first = format!("/api/v2.0{place}/repositories?page_size={PAGE_SIZE}&page=1");
    let path = page.unwrap_or(&first);
    let authorization = client.credentials.basic();
    let headers = client.headers_with(AUTHORIZATION, authorization.as_deref())?;
    client.get_page(path, headers, |answer| remedy(answer, scope), |reply| take(path, reply)).await
}

fn take(path: &str, reply: &VendorReply) -> Result<VendorPage, VendorError> {
    let repositories: Vec<HarborRepository> = reply.json()?;
    let next = numbered_page_behind(path, reply, repositories.len(), PAGE_SIZE)?;
    let mut page = VendorPage { next, ..VendorPage::default() };
    for repository in repositories {
        page.add(&repository.name, repository.update_time);
    }
    Ok(page)
}

fn remedy(answer: &ApiAnswer, scope: &str) -> String {
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "Put a user or a robot account with the permission to list repositories (in Harbor \
             repository: list, or the system permission catalog: read) into the secret of \
             oci.credentialsSecretArn, or name the repositories in oci.repositories"
                .to_owned()
        }
        StatusCode::NOT_FOUND => {
            format!("It shows no project {scope} to these credentials: correct oci.namespaces")
        }
        _ => "Check what answers at this address".to_owned(),
    }
}
