//! Reads the whole list of a vendor: all pages of all its namespaces.

use std::collections::VecDeque;

use reqwest::StatusCode;

use super::error::VendorError;
use super::page_check::PageCheck;
use super::vendor::Vendor;
use super::vendor_client::{DatedPage, VendorClient};
use super::vendor_page::RepositoryPage;
use super::{artifact_registry, docker_hub, gitea, github, gitlab, harbor, quay};

/// A list that is read page by page. Its scopes are read in order, so that a position stays valid
/// although another scope comes or goes.
#[derive(Debug)]
pub(super) struct VendorList {
    client: VendorClient,
    /// The namespaces that are left; `None` before they are known.
    scopes: Option<VecDeque<String>>,
    /// The path of the next page in the first scope; `None` for its first page.
    page: Option<String>,
    /// The scope of a saved position. Those before it were read.
    from: Option<String>,
    check: PageCheck,
    /// Whether any page had a name.
    has_names: bool,
}

impl VendorList {
    /// Starts at a saved [`VendorList::position`], or at the beginning if it is another vendor's.
    pub(super) fn open(client: VendorClient, position: Option<&str>) -> Self {
        let place = position.and_then(|position| {
            let place = position.strip_prefix(client.vendor.setting())?.strip_prefix(' ')?;
            let (scope, page) = place.split_once(' ')?;
            Some((scope.to_owned(), Some(page.to_owned()).filter(|page| page.starts_with('/'))))
        });
        let has_names = place.is_some();
        let (from, page) = place.map_or((None, None), |(scope, page)| (Some(scope), page));
        let check = PageCheck::default();
        Self { client, scopes: None, page, from, check, has_names }
    }

    /// Returns where the next page begins. `None` before the first page and after the last one.
    pub(super) fn position(&self) -> Option<String> {
        let scope = self.scopes.as_ref()?.front()?;
        let page = self.page.as_deref().unwrap_or_default();
        Some(format!("{} {scope} {page}", self.client.vendor.setting()))
    }

    /// Returns the next page, or `None` after the last one. After an error, the next call requests
    /// the same page.
    ///
    /// # Errors
    /// Fails if the vendor gives no page, if its pages have no end, or if the whole list is empty.
    pub(super) async fn next(&mut self) -> Result<Option<RepositoryPage>, VendorError> {
        self.find_scopes().await?;
        let scope = self.scopes.as_ref().and_then(|scopes| scopes.front().cloned());
        let Some(scope) = scope else {
            if self.has_names {
                return Ok(None);
            }
            // Once, so that the caller may go on.
            self.has_names = true;
            return Err(self.nothing());
        };
        let DatedPage { mut page, read_at } =
            read(&self.client, &scope, self.page.as_deref()).await?;
        let has_names = !page.repositories.is_empty() || page.skipped > 0;
        self.page = page.next.take();
        if let Some(next) = &self.page {
            let fingerprint = Some(page.fingerprint).filter(|_| has_names);
            self.check.count(self.client.vendor, fingerprint, next)?;
        } else {
            self.scopes.as_mut().map(VecDeque::pop_front);
            self.check.begin_another();
        }
        self.has_names |= has_names;
        Ok(Some(page.read_at(read_at)))
    }

    /// Leaves out the first scope if the error is about it alone. Returns whether others are left.
    pub(super) fn leave_out(&mut self, error: &VendorError) -> bool {
        let is_about_it = error.has_status(StatusCode::NOT_FOUND)
            || error.has_status(StatusCode::FORBIDDEN) && self.client.api.closed_until().is_none();
        let Some(scopes) = self.scopes.as_mut().filter(|_| is_about_it) else { return false };
        scopes.pop_front();
        self.page = None;
        self.check.begin_another();
        self.has_names = true;
        !scopes.is_empty()
    }

    /// Finds the scopes that are left.
    async fn find_scopes(&mut self) -> Result<(), VendorError> {
        if self.scopes.is_some() {
            return Ok(());
        }
        let mut scopes = scopes(&self.client).await?;
        scopes.sort_unstable();
        scopes.dedup();
        if let Some(from) = self.from.take() {
            scopes.retain(|scope| *scope >= from);
            // The scope is gone, and its page with it.
            if scopes.first() != Some(&from) {
                self.page = None;
            }
        }
        self.scopes = Some(scopes.into());
        Ok(())
    }

    fn nothing(&self) -> VendorError {
        let vendor = self.client.vendor;
        let remedy = match vendor {
            Vendor::GitHub => github::remedy_for_nothing(&self.client),
            _ => "Let the credentials of oci.credentialsSecretArn see the repositories, correct \
                  oci.namespaces, or name the repositories in oci.repositories"
                .to_owned(),
        };
        VendorError::Empty { vendor, remedy }
    }
}

async fn scopes(client: &VendorClient) -> Result<Vec<String>, VendorError> {
    match client.vendor {
        Vendor::GitHub => github::scopes(client).await,
        Vendor::DockerHub => docker_hub::scopes(client),
        Vendor::GitLab => gitlab::scopes(client).await,
        Vendor::Harbor => harbor::scopes(client),
        Vendor::Quay => quay::scopes(client),
        Vendor::Gitea => gitea::scopes(client),
        Vendor::ArtifactRegistry => artifact_registry::scopes(client),
    }
}

async fn read(
    client: &VendorClient,
    scope: &str,
    page: Option<&str>,
) -> Result<DatedPage, VendorError> {
    match client.vendor {
        Vendor::GitHub => github::read(client, scope, page).await,
        Vendor::DockerHub => docker_hub::read(client, scope, page).await,
        Vendor::GitLab => gitlab::read(client, scope, page).await,
        Vendor::Harbor => harbor::read(client, scope, page).await,
        Vendor::Quay => quay::read(client, scope, page).await,
        Vendor::Gitea => gitea::read(client, scope, page).await,
        Vendor::ArtifactRegistry => artifact_registry::read(client, scope, page).await,
    }
}
