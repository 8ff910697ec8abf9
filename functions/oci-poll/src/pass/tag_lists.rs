//! Requests the tag lists of several repositories at the same time. Requests continue while the
//! caller works on the lists that have arrived, because a paused request would keep its permit.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared::domain::{Repository, Tag};
use shared::oci::{self, Client, NamePage};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument as _, info_span};

/// The longest wait for another list while some have arrived. A repository whose registry hangs
/// must not delay the others.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// The number of tags from which [`TagLists::gather`] waits for no other list. It bounds the
/// memory.
const TAGS: usize = 50_000;

/// A repository and its tags.
pub(crate) type TagListing = (Repository, Result<NamePage<Tag>, ListError>);

/// The reason why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The registry answered with an error.
    #[error(transparent)]
    Registry(#[from] oci::Error),
    /// The list has too many pages, or they arrive too slowly.
    #[error("its list of tags took longer than {} s", .0.as_secs())]
    TooSlow(Duration),
}

/// The lists of some repositories, arrived and under way.
#[derive(Debug)]
pub(crate) struct TagLists {
    /// The repositories not asked for yet, in reverse order.
    left: Vec<Repository>,
    /// The lists that need no request.
    arrived: Vec<TagListing>,
    under_way: JoinSet<TagListing>,
    client: Option<Arc<Client>>,
}

impl TagLists {
    /// Starts to request the tags of some repositories, at most `concurrency` at a time. Requests
    /// under way are cancelled when the value is dropped.
    pub(crate) fn ask(client: &Client, repositories: &[Repository], concurrency: usize) -> Self {
        let left = repositories.iter().rev().cloned().collect();
        let client = Some(Arc::new(client.clone()));
        let mut lists = Self { left, arrived: Vec::new(), under_way: JoinSet::new(), client };
        (0..concurrency).for_each(|_| lists.ask_next());
        lists
    }

    /// Returns empty lists without a request.
    pub(crate) fn empty(repositories: &[Repository]) -> Self {
        let nothing = || Ok(NamePage { names: Vec::new(), skipped: 0 });
        let arrived =
            repositories.iter().map(|repository| (repository.clone(), nothing())).collect();
        Self { left: Vec::new(), arrived, under_way: JoinSet::new(), client: None }
    }

    /// Returns whether every list was gathered.
    pub(crate) fn are_all_taken(&self) -> bool {
        self.left.is_empty() && self.arrived.is_empty() && self.under_way.is_empty()
    }

    /// Waits for lists, and returns those that arrive without a pause. Returns none if no list
    /// arrives before `until`.
    ///
    /// # Errors
    /// Fails if a request panics.
    pub(crate) async fn gather(&mut self, until: Instant) -> anyhow::Result<Vec<TagListing>> {
        let mut arrived = std::mem::take(&mut self.arrived);
        let mut tags = 0;
        let mut wait_until = until;
        while tags < TAGS
            && let Ok(Some(list)) = timeout_at(wait_until, self.under_way.join_next()).await
        {
            let list = list.context("listing a repository's tags failed")?;
            self.ask_next();
            tags += list.1.as_ref().map_or(0, |page| page.names.len());
            arrived.push(list);
            wait_until = until.min(Instant::now() + PAUSE_MAX);
        }
        Ok(arrived)
    }

    fn ask_next(&mut self) {
        let (Some(client), Some(repository)) = (self.client.clone(), self.left.pop()) else {
            return;
        };
        let span = info_span!("list", %repository);
        let list = async move {
            // All pages together get half of the time that is left, so that the lists behind a slow
            // one are read too.
            let list = match client.share() {
                Some(share) => timeout(share, client.list_tags(&repository))
                    .await
                    .map_or(Err(ListError::TooSlow(share)), |list| list.map_err(ListError::from)),
                None => client.list_tags(&repository).await.map_err(ListError::from),
            };
            (repository, list)
        };
        self.under_way.spawn(list.instrument(span));
    }
}

impl ListError {
    /// Returns whether the registry answered that it does not know the repository.
    pub(crate) fn is_repository_unknown(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_repository_unknown())
    }

    /// Returns whether the registry refuses this list to these credentials.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_denied()) && !self.is_credentials_refused()
    }

    /// Returns whether the registry answered that there is no such list, without saying that it
    /// does not know the repository.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_not_found())
            && !self.is_repository_unknown()
    }

    /// Returns whether the registry refuses the credentials, so that every request fails.
    pub(crate) fn is_credentials_refused(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_credentials_refused())
    }

    /// Returns whether the registry accepts no request for the rest of the invocation.
    pub(crate) fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_asked_to_wait())
    }
}
