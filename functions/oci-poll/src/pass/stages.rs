//! Yields the repositories of a pass in batches. A pass has three stages: the repositories that the
//! instance names, those that the catalog lists, and known ones that were not listed. Without a
//! list of a vendor's, the last stage has all known ones.

use std::collections::VecDeque;

use shared::domain::Repository;

use super::catalog::CatalogReader;
use super::context::{Halt, How, Pass};
use crate::cursor::Stage;

/// The most repositories in a batch.
const REPOSITORIES: usize = 100;

/// Repositories to list, compare and look at together.
#[derive(Debug)]
pub(super) struct RepositoryBatch {
    pub(super) repositories: Vec<Repository>,
    pub(super) how: How,
    /// The position behind the batch.
    pub(super) end: Stage,
}

/// The stages that are left of a pass.
#[derive(Debug)]
pub(super) struct Stages<'a> {
    /// The stage to read when the batches are used up; `None` after the last stage.
    next: Option<Stage>,
    batches: VecDeque<RepositoryBatch>,
    catalog: Option<CatalogReader<'a>>,
}

impl<'a> Stages<'a> {
    /// Starts at a saved position.
    pub(super) fn starting_at(stage: Stage) -> Self {
        Self { next: Some(stage), batches: VecDeque::new(), catalog: None }
    }

    /// Returns the next batch, or `None` after the last one. Expects that the caller has visited
    /// the batch before, because the last stage depends on what was listed.
    ///
    /// # Errors
    /// Fails if there is no time, if the catalog cannot be read, or if the database fails.
    pub(super) async fn next_batch(
        &mut self,
        pass: &mut Pass<'a>,
    ) -> Result<Option<RepositoryBatch>, Halt> {
        loop {
            if let Some(batch) = self.batches.pop_front() {
                return Ok(Some(batch));
            }
            let Some(stage) = self.next.take() else { return Ok(None) };
            pass.scan.stage = stage.clone();
            match stage {
                Stage::Named { behind } => {
                    self.batches = named(pass, behind.as_deref());
                    self.next = Some(Stage::Catalog { query: None, behind: None });
                }
                Stage::Catalog { query, behind } => self.read_catalog(pass, query, behind).await?,
                Stage::Vanished { behind } => {
                    self.batches = vanished(pass, behind.as_deref()).await?;
                }
            }
        }
    }

    /// Reads one page of the catalog, if the instance needs the catalog.
    async fn read_catalog(
        &mut self,
        pass: &mut Pass<'a>,
        query: Option<String>,
        behind: Option<String>,
    ) -> Result<(), Halt> {
        self.next = Some(Stage::Vanished { behind: None });
        let poll = pass.poll;
        if !poll.instance.selection.needs_catalog() {
            return Ok(());
        }
        let is_begun = self.catalog.is_some() || query.is_some() || behind.is_some();
        if !is_begun && !pass.has_begun_list() && !pass.begin_list() {
            return Ok(());
        }
        let open = || CatalogReader::open(&poll.catalog, query, behind);
        let catalog = self.catalog.get_or_insert_with(open);
        if let Some(page) = catalog.next_page(pass).await? {
            self.next = Some(Stage::Catalog { query: page.next_query, behind: None });
            let end = |behind| Stage::Catalog { query: page.query.clone(), behind };
            self.batches = batches(page.repositories, How::Listed, end);
        }
        Ok(())
    }
}

/// Lists the repositories that the instance names, behind the given one.
fn named(pass: &Pass<'_>, behind: Option<&str>) -> VecDeque<RepositoryBatch> {
    let named = pass.poll.instance.selection.named();
    let done = behind.map_or(0, |behind| named.partition_point(|name| name.as_str() <= behind));
    let left = named.get(done..).unwrap_or_default();
    batches(left.iter().cloned(), How::Named, |behind| Stage::Named { behind })
}

/// Lists the repositories that were not listed in this pass, behind the given one: those that have
/// charts, and those that the cursor knows or may have forgotten.
///
/// Leaves out what other instances conclude about. If the catalog lists nothing at all, the catalog
/// itself is probably missing.
async fn vanished(
    pass: &mut Pass<'_>,
    behind: Option<&str>,
) -> Result<VecDeque<RepositoryBatch>, Halt> {
    let poll = pass.poll;
    let (instance, database) = (poll.instance, poll.database);
    if !instance.selection.needs_catalog() {
        return Ok(VecDeque::new());
    }
    let mut known = database.chart_repositories(&instance.registry).await?;
    known.retain(|name| instance.selection.takes(name));
    let is_unlisted = pass.scan.is_unlisted();
    if pass.scan.catalogued == 0 && !known.is_empty() && !is_unlisted {
        let error = format!("the catalog is empty, but {} repositories have charts", known.len());
        pass.summary.add_error(error);
    }
    let entries = &mut pass.cursor.entries;
    if pass.cursor.state.is_incomplete || entries.has_unlisted() || is_unlisted {
        known.extend(database.known_repositories(&instance.registry).await?);
    }
    let is_vanished = |name: &Repository| {
        let is_listed = entries.get(name).is_some_and(|entry| entry.is_listed);
        instance.selection.takes(name) && !is_listed
    };
    // Sorted, so that a position stays valid although its repository is no longer known.
    known.sort_unstable();
    known.dedup();
    let is_behind = |name: &Repository| behind.is_none_or(|behind| name.as_str() > behind);
    let is_left = |name: &Repository| is_behind(name) && is_vanished(name);
    let mut vanished: Vec<Repository> = known.into_iter().filter(is_left).collect();
    let how = match pass.scan.catalogued {
        _ if is_unlisted => How::Known,
        0 => How::WithoutCatalog,
        1.. => How::Vanished,
    };
    if behind.is_none() && !is_unlisted {
        entries.forget_unlisted();
    }
    pass.leave_to_others(&mut vanished).await?;
    if vanished.is_empty() {
        return Ok(VecDeque::new());
    }
    // If this pass is interrupted, the invocation that resumes it must read this stage again.
    pass.cursor.state.is_incomplete = true;
    Ok(batches(vanished, how, |behind| Stage::Vanished { behind }))
}

fn batches(
    repositories: impl IntoIterator<Item = Repository>,
    how: How,
    end: impl Fn(Option<String>) -> Stage,
) -> VecDeque<RepositoryBatch> {
    let mut left = repositories.into_iter();
    let next = || {
        let repositories: Vec<Repository> = left.by_ref().take(REPOSITORIES).collect();
        let last = repositories.last()?.to_string();
        Some(RepositoryBatch { repositories, how, end: end(Some(last)) })
    };
    std::iter::from_fn(next).collect()
}
