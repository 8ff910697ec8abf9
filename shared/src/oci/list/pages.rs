//! A listing that is read page by page.

use std::hash::Hash;
use std::str::FromStr;

use reqwest::{Method, Response, Url};

use super::link::{Unreadable, next_query};
use super::names::read_names;
use super::next_page::{ListProgress, NoNextPage};
use crate::domain::{Repository, Tag};
use crate::oci::error::Error;
use crate::oci::limits::NAMES_MAX;
use crate::oci::page_size::PageSize;
use crate::oci::redact::redacted;
use crate::oci::transport::{Client, RegistryRequest, RequestPermit, Scope};

/// One page of a listing.
#[derive(Debug)]
pub struct NamePage<T> {
    /// The names that follow the specification's grammar, in the registry's order.
    pub names: Vec<T>,
    /// Number of names that break the grammar. They are left out.
    pub skipped: u64,
}

/// A listing that is read page by page. Call [`Pages::next`] until it returns `None`.
#[derive(Debug)]
pub struct Pages<'a, T> {
    client: &'a Client,
    scope: Scope<'a>,
    endpoint: Url,
    next: NextPage,
    progress: ListProgress<T>,
}

/// The page to ask for next.
#[derive(Debug, Clone)]
enum NextPage {
    First,
    At(String),
    /// The last page was read.
    None,
}

impl Client {
    /// Lists the registry's repositories, from the first one or from a saved [`Pages::position`].
    /// Not every registry has a catalog: GHCR, Docker Hub and GitLab have none.
    #[must_use]
    pub fn list_repositories(&self, position: Option<String>) -> Pages<'_, Repository> {
        Pages::new(self, Scope::Catalog, self.endpoint(&["_catalog"], None), position)
    }

    /// Returns all tags of a repository, sorted and without duplicates, and the number of invalid
    /// names. Leaves out the marks of other manifests, because none is a chart. Safe to repeat.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyNames`] if the repository has more than 100,000 tags. Otherwise as
    /// [`Pages::next`].
    pub async fn list_tags(&self, repository: &Repository) -> Result<NamePage<Tag>, Error> {
        let endpoint = self.endpoint(&[repository.as_str(), "tags", "list"], None);
        let url = redacted(&endpoint);
        let mut pages = Pages::new(self, Scope::Repository(repository), endpoint, None);
        let mut tags = NamePage { names: Vec::new(), skipped: 0 };
        while let Some(page) = pages.next().await? {
            tags.names.extend(page.names.into_iter().filter(|tag: &Tag| !tag.is_mark()));
            tags.skipped += page.skipped;
            if tags.names.len() > NAMES_MAX {
                return Err(Error::TooManyNames { url, limit: NAMES_MAX });
            }
        }
        tags.names.sort_unstable();
        tags.names.dedup();
        Ok(tags)
    }
}

impl<'a, T: Clone + Eq + FromStr + Hash> Pages<'a, T> {
    fn new(client: &'a Client, scope: Scope<'a>, endpoint: Url, position: Option<String>) -> Self {
        let next = position.map_or(NextPage::First, NextPage::At);
        Self { client, scope, endpoint, next, progress: ListProgress::default() }
    }

    /// Returns where the next page begins, so that a later listing can resume there. `None` before
    /// the first page and after the last one.
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        match &self.next {
            NextPage::At(query) => Some(query),
            NextPage::First | NextPage::None => None,
        }
    }

    /// Returns the next page, or `None` after the last one. After an error, the next call requests
    /// the same page.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableLink`] and [`Error::EndlessListing`] if the next page cannot be found.
    /// [`Error::is_position_refused`] if the registry refuses a saved position.
    pub async fn next(&mut self) -> Result<Option<NamePage<T>>, Error> {
        let page = match self.next.clone() {
            NextPage::None => return Ok(None),
            NextPage::At(query) => self.read(Some(&query)).await?,
            NextPage::First => self.read_first().await?,
        };
        Ok(Some(page))
    }

    /// Reads the first page. Asks for fewer names if the registry refuses so many.
    async fn read_first(&mut self) -> Result<NamePage<T>, Error> {
        let sizes = self.client.page_size();
        let accepted = sizes.get();
        let mut size = accepted;
        loop {
            match self.read(size.query()).await {
                Ok(page) => {
                    if size != accepted {
                        sizes.set(size);
                    }
                    return Ok(page);
                }
                Err(error) if error.is_page_size_refused() && size != PageSize::OfTheRegistry => {
                    size = size.smaller();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one page, and moves behind it.
    async fn read(&mut self, query: Option<&str>) -> Result<NamePage<T>, Error> {
        let mut url = self.endpoint.clone();
        url.set_query(query);
        let shown = || redacted(&url);
        let request = RegistryRequest {
            method: &Method::GET,
            url: &url,
            accept: "application/json",
            scope: self.scope,
            permit: RequestPermit::Usual,
        };
        let read = |response: Response| async move {
            let headers = response.headers().clone();
            Ok((headers, read_names::<T>(response).await?))
        };
        let (headers, mut listed) = self.client.request(request, read).await?;
        let link = next_query(&url, &headers)
            .map_err(|Unreadable| Error::UnreadableLink { url: shown() })?;
        let next = self.progress.take(&url, &mut listed, link).map_err(|reason| match reason {
            NoNextPage::LongName => Error::UnreadableLink { url: shown() },
            NoNextPage::Endless => Error::EndlessListing { url: shown() },
        })?;
        self.next = next.map_or(NextPage::None, NextPage::At);
        Ok(NamePage { names: listed.names, skipped: listed.skipped })
    }
}
