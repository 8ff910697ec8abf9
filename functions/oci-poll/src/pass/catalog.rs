//! Reads the registry's catalog page by page, from a saved position.

use shared::domain::Repository;
use shared::oci::{self, Client, NamePage, Pages, Reason};
use shared::telemetry::Causes;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use super::context::{Halt, Pass};

/// The catalog, and the position in it.
#[derive(Debug)]
pub(super) struct CatalogReader<'a> {
    client: &'a Client,
    pages: Pages<'a, Repository>,
    /// The query of the next page; `None` for the first page.
    query: Option<String>,
    /// The last repository of that page that an earlier invocation visited.
    behind: Option<String>,
    /// Whether `query` comes from an earlier invocation.
    is_saved_position: bool,
}

/// The repositories of one page that are left to visit.
#[derive(Debug)]
pub(super) struct CatalogPage {
    /// The query of this page.
    pub(super) query: Option<String>,
    /// The query of the page behind it.
    pub(super) next_query: Option<String>,
    pub(super) repositories: Vec<Repository>,
}

impl<'a> CatalogReader<'a> {
    /// Starts at a saved position. Sends no request.
    pub(super) fn open(client: &'a Client, query: Option<String>, behind: Option<String>) -> Self {
        let pages = client.list_repositories(query.clone());
        Self { client, pages, is_saved_position: query.is_some(), query, behind }
    }

    /// Reads the next page, or returns `None` after the last one. Reads the catalog from its
    /// beginning if the registry refuses the saved position.
    ///
    /// # Errors
    /// Fails if there is no time, or if the registry gives no page. The summary has the reason.
    pub(super) async fn next_page(
        &mut self,
        pass: &mut Pass<'_>,
    ) -> Result<Option<CatalogPage>, Halt> {
        loop {
            let page = timeout_at(pass.poll.look_until(), self.pages.next()).await;
            match page.map_err(|_| Halt::OutOfTime)? {
                Ok(Some(page)) => return Ok(Some(self.take(page, pass))),
                Ok(None) => return Ok(None),
                // Some registries refuse a position if the repository that it names was deleted.
                Err(error) if self.is_saved_position && error.is_position_refused() => {
                    debug!(error = %Causes(&error), "listing the catalog from its beginning");
                    *self = Self::open(self.client, None, None);
                    pass.scan.catalogued = 0;
                }
                Err(error) if error.is_asked_to_wait() => return Err(Halt::AskedToWait),
                Err(error) => {
                    note(pass, error);
                    return Err(Halt::Unreadable);
                }
            }
        }
    }

    /// Counts a page, moves the position behind it, and drops what is not to be visited.
    fn take(&mut self, page: NamePage<Repository>, pass: &mut Pass<'_>) -> CatalogPage {
        self.is_saved_position = false;
        pass.summary.skip_names(page.skipped);
        let mut repositories = page.names;
        let position =
            |behind: String| repositories.iter().position(|name| name.as_str() == behind);
        let done = self.behind.take().and_then(position);
        if done.is_none() {
            pass.scan.catalogued += repositories.len() as u64;
        }
        repositories.drain(..done.map_or(0, |done| done + 1));
        repositories.retain(|repository| pass.poll.instance.selection.takes(repository));
        let next_query = self.pages.position().map(str::to_owned);
        let query = std::mem::replace(&mut self.query, next_query.clone());
        CatalogPage { query, next_query, repositories }
    }
}

fn note(pass: &mut Pass<'_>, error: oci::Error) {
    let remedy = remedy(&error);
    let error = format!("the catalog cannot be read: {:#}{remedy}", anyhow::Error::new(error));
    warn!("{error}");
    pass.summary.add_error(error);
}

/// Returns the likely remedy for a catalog that cannot be read.
fn remedy(error: &oci::Error) -> &'static str {
    match error.reason() {
        Some(Reason::NotPermitted) => {
            "; give these credentials the right to list the catalog (in Harbor the system \
             permission catalog: read), or name the repositories in oci.repositories"
        }
        Some(Reason::NoCredentials) | None if error.is_catalog_refused() => {
            "; if the registry offers no catalog (GHCR, Docker Hub, GitLab), name the repositories \
             in oci.repositories"
        }
        _ => "",
    }
}
