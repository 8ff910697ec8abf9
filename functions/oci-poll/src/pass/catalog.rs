//! Reads the list of repositories page by page, from a saved position: the registry's catalog, or
//! the list of its vendor. If a vendor's list fails, the pass visits the repositories that the
//! database knows, because a failure says nothing about them.

use shared::domain::Repository;
use shared::oci::{
    self, CatalogError, Reason, RepositoryCatalog, RepositoryPage, RepositoryPages, VendorError,
};
use shared::telemetry::{Causes, Utc};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::context::{Halt, Pass};
use crate::cursor::{ScannedList, milliseconds};

/// The longest error of a list that the cursor remembers, in bytes.
const ERROR_MAX: usize = 1024;

/// The list of repositories, and the position in it.
#[derive(Debug)]
pub(super) struct CatalogReader<'a> {
    catalog: &'a RepositoryCatalog,
    pages: RepositoryPages<'a>,
    /// The position of the next page; `None` for the first page.
    query: Option<String>,
    /// The last repository of that page that an earlier invocation visited.
    behind: Option<String>,
    /// Whether `query` comes from an earlier invocation.
    is_saved_position: bool,
}

/// The repositories of one page that are left to visit.
#[derive(Debug)]
pub(super) struct CatalogPage {
    /// The position of this page.
    pub(super) query: Option<String>,
    /// The position of the page behind it.
    pub(super) next_query: Option<String>,
    pub(super) repositories: Vec<Repository>,
}

impl<'a> CatalogReader<'a> {
    /// Starts at a saved position. Sends no request.
    pub(super) fn open(
        catalog: &'a RepositoryCatalog,
        query: Option<String>,
        behind: Option<String>,
    ) -> Self {
        let pages = catalog.open(query.as_deref());
        Self { catalog, pages, is_saved_position: query.is_some(), query, behind }
    }

    /// Reads the next page, or returns `None` after the last one, and when a vendor's list fails.
    /// Reads the list from its beginning if the saved position is refused.
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
                Ok(None) => {
                    pass.cursor.state.list.end(!pass.scan.is_unlisted());
                    return Ok(None);
                }
                // Some registries refuse a position if the repository that it names was deleted.
                Err(error) if self.is_saved_position && error.is_position_refused() => {
                    debug!(error = %Causes(&error), "listing the catalog from its beginning");
                    *self = Self::open(self.catalog, None, None);
                    pass.scan.catalogued = 0;
                }
                Err(CatalogError::Registry(error)) if error.is_asked_to_wait() => {
                    return Err(Halt::AskedToWait);
                }
                Err(CatalogError::Registry(error)) => {
                    note(pass, error);
                    return Err(Halt::Unreadable);
                }
                // The vendor's API is at the registry's own address.
                Err(CatalogError::Vendor(_)) if pass.poll.client.closed_until().is_some() => {
                    return Err(Halt::AskedToWait);
                }
                Err(CatalogError::Vendor(error)) => {
                    let is_left = self.pages.leave_out(&error);
                    pass.fail_list(error);
                    if !is_left {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Counts a page, moves the position behind it, and drops what is not to be visited.
    fn take(&mut self, page: RepositoryPage, pass: &mut Pass<'_>) -> CatalogPage {
        self.is_saved_position = false;
        if self.catalog.vendor().is_some() && !pass.has_begun_list() {
            // The vendor was found out only now.
            pass.cursor.state.list.begin(pass.scan.began_at);
        }
        pass.summary.skip_names(page.skipped);
        pass.take_marks(&page.repositories);
        let mut repositories: Vec<Repository> =
            page.repositories.into_iter().map(|listed| listed.name).collect();
        let position =
            |behind: String| repositories.iter().position(|name| name.as_str() == behind);
        let done = self.behind.take().and_then(position);
        if done.is_none() {
            pass.scan.catalogued += repositories.len() as u64;
        }
        repositories.drain(..done.map_or(0, |done| done + 1));
        repositories.retain(|repository| pass.poll.instance.selection.takes(repository));
        let next_query = self.pages.position();
        let query = std::mem::replace(&mut self.query, next_query.clone());
        CatalogPage { query, next_query, repositories }
    }
}

impl Pass<'_> {
    /// Begins the list of repositories. Returns whether this pass reads it: a vendor's list is read
    /// once per `catalogInterval`, and not before the time that the vendor named.
    pub(super) fn begin_list(&mut self) -> bool {
        let poll = self.poll;
        if poll.catalog.vendor().is_none() {
            return true;
        }
        let now = milliseconds(poll.now);
        let list = &mut self.cursor.state.list;
        if list.is_due(now, poll.list_interval()) {
            list.begin(now);
            return true;
        }
        self.scan.list = ScannedList::Lacking;
        if let Some(error) = list.error.clone() {
            self.summary.add_error(error);
        }
        false
    }

    /// Returns whether the vendor's list began in this pass. An invocation that resumes the pass
    /// reads it further.
    pub(super) fn has_begun_list(&self) -> bool {
        let begun_at = self.cursor.state.list.begun_at;
        self.poll.catalog.vendor().is_some() && begun_at >= Some(self.scan.began_at)
    }

    /// Notes that the vendor's list cannot be read to its end. The passes until the next list have
    /// the same error, so that the health does not change back and forth.
    fn fail_list(&mut self, error: VendorError) {
        let closed_until = self.poll.catalog.closed_until();
        let closed_until = closed_until
            .map(|until| self.poll.now + until.saturating_duration_since(Instant::now()));
        let until = closed_until.map(|until| format!("; it is read again after {}", Utc(until)));
        let error = anyhow::Error::new(error);
        let mut error = format!(
            "the list of repositories cannot be read: {error:#}{}",
            until.unwrap_or_default()
        );
        error.truncate(error.floor_char_boundary(ERROR_MAX));
        warn!("{error}");
        self.scan.list = ScannedList::Lacking;
        let list = &mut self.cursor.state.list;
        list.error.get_or_insert_with(|| error.clone());
        list.closed_until = closed_until.map(milliseconds);
        self.summary.add_error(error);
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
