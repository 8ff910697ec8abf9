//! Reads the lists of the groups, projects and organisations whose repositories are listed.

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::error::VendorError;
use super::page_check::PageCheck;
use super::paging::numbered_page_behind;
use super::vendor_client::VendorClient;
use super::vendor_page::Fingerprint;
use crate::oci::limits::{SCOPE_MAX, SCOPES_MAX};
use crate::oci::redact::redacted;
use crate::oci::transport::ApiAnswer;

/// The pages of a list of scopes. Each pass reads the whole list, and it stays in memory. So it has
/// a limit.
pub(super) struct ScopePages<'a> {
    client: &'a VendorClient,
    /// The most items that a page may have.
    page_size: usize,
    /// The path of the next page.
    next: Option<String>,
    check: PageCheck,
    scopes: usize,
}

/// A page of a list of scopes.
pub(super) struct ScopePage {
    pub(super) scopes: Vec<String>,
    pub(super) headers: HeaderMap,
}

impl<'a> ScopePages<'a> {
    /// Starts at the path of the first page, which ends in `page=1`.
    pub(super) fn new(client: &'a VendorClient, first: String, page_size: usize) -> Self {
        Self { client, page_size, next: Some(first), check: PageCheck::default(), scopes: 0 }
    }

    /// Returns the next page, or `None` after the last one. Leaves out a scope that is longer than
    /// a repository's name may be.
    ///
    /// # Errors
    /// Fails if the vendor gives no page, or if the list is past a limit.
    pub(super) async fn next<T: DeserializeOwned + Into<String>>(
        &mut self,
        headers: HeaderMap,
        remedy: impl Fn(&ApiAnswer) -> String,
    ) -> Result<Option<ScopePage>, VendorError> {
        let (client, vendor) = (self.client, self.client.vendor);
        let Some(path) = self.next.take() else { return Ok(None) };
        let reply = client.get(&path, headers, remedy).await?;
        let items: Vec<T> = reply.json()?;
        if items.len() > self.page_size {
            let (call, limit) = (format!("GET {}", redacted(&reply.url)), self.page_size);
            return Err(VendorError::PageTooLarge { vendor, call, limit });
        }
        self.scopes += items.len();
        if self.scopes > SCOPES_MAX {
            return Err(client.cannot_ask(format!(
                "it names more than {SCOPES_MAX} groups, projects or organisations. Name those to \
                 list in oci.namespaces"
            )));
        }
        self.next = numbered_page_behind(&path, &reply, items.len(), self.page_size)?;
        if let Some(next) = &self.next {
            let page = Some(Fingerprint::of(&reply.body)).filter(|_| !items.is_empty());
            self.check.count(vendor, page, next)?;
        }
        let scopes = items.into_iter().map(T::into).filter(|scope| scope.len() <= SCOPE_MAX);
        Ok(Some(ScopePage { scopes: scopes.collect(), headers: reply.headers }))
    }
}
