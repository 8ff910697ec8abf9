//! Lists the repositories of an instance, in whichever way its registry offers.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::artifact_registry;
use super::credentials::ListingCredentials;
use super::error::{CatalogError, VendorError};
use super::settings::{CatalogChoice, CatalogSettings};
use super::vendor::Vendor;
use super::vendor_client::VendorClient;
use super::vendor_list::VendorList;
use super::vendor_page::{ListedRepository, RepositoryPage};
use crate::domain::{RegistryUrl, Repository};
use crate::oci::error::Error;
use crate::oci::list::{NamePage, Pages};
use crate::oci::transport::{Client, Connections, RequestCounts};

/// The end of the path of GitLab's realm. Gitea has the same service, and another path.
const GITLAB_REALM: &str = "/jwt/auth";

/// The lists of repositories that an instance can read. Clones share their connections and what
/// they remember.
#[derive(Debug, Clone)]
pub struct RepositoryCatalog {
    client: Client,
    connections: Connections,
    settings: Arc<CatalogSettings>,
    credentials: ListingCredentials,
    /// The client of the vendor whose call lists the repositories.
    vendor: Arc<Mutex<Option<VendorClient>>>,
    deadline: Option<Instant>,
}

/// A list of repositories that is read page by page. Call [`RepositoryPages::next`] until it
/// returns `None`.
#[derive(Debug)]
pub struct RepositoryPages<'a> {
    catalog: &'a RepositoryCatalog,
    source: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    Registry(Box<Pages<'a, Repository>>),
    Vendor(Box<VendorList>),
}

impl RepositoryCatalog {
    /// Prepares the lists of a registry. Opens no connection.
    ///
    /// # Errors
    /// Fails if the TLS settings cannot be used.
    pub fn new(
        client: Client,
        connections: Connections,
        settings: CatalogSettings,
        credentials: ListingCredentials,
    ) -> Result<Self, Error> {
        let catalog = Self {
            client,
            connections,
            settings: Arc::new(settings),
            credentials,
            vendor: Arc::default(),
            deadline: None,
        };
        let registry = catalog.client.base();
        if let Some(vendor) = catalog.settings.vendor(registry)
            && let Some(api) = catalog.settings.url.clone().or_else(|| vendor.api(registry))
        {
            let client = catalog.vendor_client(vendor, api)?;
            *catalog.lock() = Some(client);
        }
        Ok(catalog)
    }

    /// Returns the same lists for an invocation that visits many repositories.
    #[must_use]
    pub fn sharing_until(&self, deadline: Instant) -> Self {
        let client = self.client.sharing_until(deadline);
        Self { client, deadline: Some(deadline), ..self.clone() }
    }

    /// Returns the same lists with the deadline of one invocation.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { client: self.client.until(deadline), deadline: Some(deadline), ..self.clone() }
    }

    /// Returns the registry's client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the vendor whose call lists the repositories. `None` if it is the registry's own
    /// catalog, as far as is known.
    #[must_use]
    pub fn vendor(&self) -> Option<Vendor> {
        self.lock().as_ref().map(|client| client.vendor)
    }

    /// Returns the time before which the vendor's API accepts no request, if it is in the future.
    #[must_use]
    pub fn closed_until(&self) -> Option<Instant> {
        self.lock().as_ref()?.api.closed_until()
    }

    /// Asks the vendor's API for nothing before this time.
    pub fn close_until(&self, until: Instant) {
        if let Some(client) = self.lock().as_ref() {
            client.api.close_until(until);
        }
    }

    /// Returns the numbers of requests to the registry and the vendor since the last call.
    #[must_use]
    pub fn take_counts(&self) -> RequestCounts {
        let mut counts = self.client.take_counts();
        if let Some(client) = self.lock().as_ref() {
            let more = client.api.take_counts();
            counts.requests += more.requests;
            counts.throttled += more.throttled;
        }
        counts
    }

    /// Lists the repositories, from the first one or from a saved [`RepositoryPages::position`].
    /// Sends no request yet.
    #[must_use]
    pub fn open(&self, position: Option<&str>) -> RepositoryPages<'_> {
        let vendor = self.lock().clone();
        let source = if let Some(client) = vendor {
            Source::Vendor(Box::new(VendorList::open(self.limited(&client), position)))
        } else {
            // A vendor's position has spaces, and a query has none.
            let query = position.filter(|position| !position.contains(' '));
            Source::Registry(Box::new(self.client.list_repositories(query.map(str::to_owned))))
        };
        RepositoryPages { catalog: self, source }
    }

    /// Finds out the vendor of a registry that refuses its catalog: Harbor and GitLab show
    /// themselves by the realm of their tokens. Remembers it.
    async fn find_vendor(&self) -> Option<VendorClient> {
        if self.settings.choice != CatalogChoice::Auto {
            return None;
        }
        let (realm, service) = self.client.shown_realm().await?;
        let vendor = match service.as_str() {
            "harbor-registry" => Vendor::Harbor,
            "container_registry" if realm.path().ends_with(GITLAB_REALM) => Vendor::GitLab,
            _ => return None,
        };
        let api = if vendor == Vendor::GitLab {
            // The API is where the realm is. A hostile registry could name any host.
            let mut api = realm.clone();
            api.set_path(realm.path().trim_end_matches(GITLAB_REALM));
            api.set_query(None);
            api.as_str().parse().ok().filter(|_| self.client.may_send_credentials_to(&realm))?
        } else {
            vendor.api(self.client.base())?
        };
        let client = self.vendor_client(vendor, api).ok()?;
        *self.lock() = Some(client.clone());
        Some(self.limited(&client))
    }

    fn limited(&self, client: &VendorClient) -> VendorClient {
        self.deadline.map_or_else(|| client.clone(), |deadline| client.until(deadline))
    }

    fn vendor_client(&self, vendor: Vendor, api: RegistryUrl) -> Result<VendorClient, Error> {
        let api = self.connections.api(api, &self.client)?;
        let namespaces = &self.settings.namespaces;
        let client = VendorClient::new(vendor, api, self.credentials.clone(), namespaces);
        if vendor == Vendor::ArtifactRegistry
            && let Some(address) = artifact_registry::token_address(&self.credentials)
        {
            return Ok(client.with_issuer(self.connections.api(address, &self.client)?));
        }
        Ok(client)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<VendorClient>> {
        self.vendor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RepositoryPages<'_> {
    /// Returns where the next page begins, so that a later list can resume there. `None` before the
    /// first page and after the last one.
    #[must_use]
    pub fn position(&self) -> Option<String> {
        match &self.source {
            Source::Registry(pages) => pages.position().map(str::to_owned),
            Source::Vendor(list) => list.position(),
        }
    }

    /// Returns the next page, or `None` after the last one. After an error, the next call requests
    /// the same page.
    ///
    /// # Errors
    /// Fails if there is no page. [`CatalogError::is_position_refused`] if the saved position is
    /// refused.
    pub async fn next(&mut self) -> Result<Option<RepositoryPage>, CatalogError> {
        loop {
            let error = match &mut self.source {
                Source::Vendor(list) => return Ok(list.next().await?),
                Source::Registry(pages) => match pages.next().await {
                    Ok(page) => return Ok(page.map(page_of)),
                    Err(error) => error,
                },
            };
            if !error.is_denied() {
                return Err(error.into());
            }
            let client = self.catalog.find_vendor().await.ok_or(error)?;
            self.source = Source::Vendor(Box::new(VendorList::open(client, None)));
        }
    }

    /// Leaves out the namespace that an error is about. Returns whether others are left.
    pub fn leave_out(&mut self, error: &VendorError) -> bool {
        match &mut self.source {
            Source::Registry(_) => false,
            Source::Vendor(list) => list.leave_out(error),
        }
    }
}

/// The catalog of the specification tells no changes.
fn page_of(page: NamePage<Repository>) -> RepositoryPage {
    let listed = |name| ListedRepository { name, changed_at: None };
    let repositories = page.names.into_iter().map(listed).collect();
    RepositoryPage { repositories, skipped: page.skipped }
}
