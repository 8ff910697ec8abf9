//! The lists of several repositories, asked for at the same time and taken as they come. They go on
//! coming while those that have come are worked on: a list that nobody waits for would keep its
//! turn at the registry.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared::domain::{Repository, Tag};
use shared::oci::{self, Client, NamePage};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, info_span};

/// How long the lists that have come wait for the next one. A repository that hangs must not keep
/// the others waiting.
const NEXT: Duration = Duration::from_millis(200);

/// Tags in lists that have come beyond which no further list is waited for. Bounds what is held in
/// memory.
const TAGS: usize = 50_000;

/// The least time that all pages of a list may take together. More where the invocation has more:
/// but a list that takes half of it must not keep those behind it from ever being read.
const TIME: Duration = Duration::from_secs(10);

/// A repository and its tags.
pub(crate) type Listing = (Repository, Result<NamePage<Tag>, ListError>);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The registry did not give it.
    #[error(transparent)]
    Registry(#[from] oci::Error),
    /// It has too many pages, or they come too slowly.
    #[error("its list of tags took longer than {} s", .0.as_secs())]
    TooSlow(Duration),
}

/// Lists under way.
#[derive(Debug)]
pub(crate) struct Listings {
    /// Those not asked for yet, the next one last.
    left: Vec<Repository>,
    /// Those that nobody has to be asked for.
    come: Vec<Listing>,
    under_way: JoinSet<Listing>,
    client: Option<Arc<Client>>,
    time: Duration,
}

impl Listings {
    /// Begins to ask for the tags of some repositories, at most `concurrency` at a time. What is
    /// under way when this is dropped is given up.
    pub(crate) fn ask(
        client: &Client,
        repositories: &[Repository],
        concurrency: usize,
        until: Instant,
    ) -> Self {
        let time = TIME.max(until.saturating_duration_since(Instant::now()) / 2);
        let left = repositories.iter().rev().cloned().collect();
        let client = Some(Arc::new(client.clone()));
        let mut listings = Self { left, come: Vec::new(), under_way: JoinSet::new(), client, time };
        (0..concurrency).for_each(|_| listings.ask_next());
        listings
    }

    /// Gives empty lists, without asking anybody.
    pub(crate) fn empty(repositories: &[Repository]) -> Self {
        let nothing = || Ok(NamePage { names: Vec::new(), skipped: 0 });
        let come = repositories.iter().map(|repository| (repository.clone(), nothing())).collect();
        Self { left: Vec::new(), come, under_way: JoinSet::new(), client: None, time: TIME }
    }

    /// Whether every list has been given.
    pub(crate) fn are_all_taken(&self) -> bool {
        self.left.is_empty() && self.come.is_empty() && self.under_way.is_empty()
    }

    /// The lists that come one after the other without a pause. Empty when none comes until then.
    ///
    /// # Errors
    /// Only if we are at fault.
    pub(crate) async fn gather(&mut self, until: Instant) -> anyhow::Result<Vec<Listing>> {
        let mut come = std::mem::take(&mut self.come);
        let mut tags = 0;
        let mut wait_until = until;
        while tags < TAGS
            && let Ok(Some(listing)) = timeout_at(wait_until, self.under_way.join_next()).await
        {
            let listing = listing.context("listing a repository's tags failed")?;
            self.ask_next();
            tags += listing.1.as_ref().map_or(0, |page| page.names.len());
            come.push(listing);
            wait_until = until.min(Instant::now() + NEXT);
        }
        Ok(come)
    }

    fn ask_next(&mut self) {
        let (Some(client), Some(repository)) = (self.client.clone(), self.left.pop()) else {
            return;
        };
        let (time, span) = (self.time, info_span!("list", %repository));
        let list = async move {
            let list = tokio::time::timeout(time, client.list_tags(&repository)).await;
            let list =
                list.map_or(Err(ListError::TooSlow(time)), |list| list.map_err(ListError::from));
            (repository, list)
        };
        self.under_way.spawn(list.instrument(span));
    }
}

impl ListError {
    /// Whether the registry says that it has no such repository.
    pub(crate) fn is_name_unknown(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_name_unknown())
    }

    /// Whether the registry is to be left alone for the rest of the invocation.
    pub(crate) fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_asked_to_wait())
    }
}
