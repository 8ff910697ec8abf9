//! The stages of a pass: the repositories that the instance names, those that the catalog lists, and
//! those that are known and were not listed.

use std::ops::ControlFlow::{self, Break, Continue};

use shared::domain::Repository;
use tokio::time::timeout_at;
use tracing::{debug, warn};

use super::context::{How, Poll, REPOSITORIES, Stopped};
use super::repositories::visit;
use crate::cursor::{Cursor, Scan, Stage};
use crate::summary::Summary;

pub(super) async fn visit_named(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &mut Scan,
    behind: Option<&str>,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    let named = poll.instance.selection.named();
    let done = behind.map_or(0, |behind| named.partition_point(|name| name.as_str() <= behind));
    for repositories in named.get(done..).unwrap_or_default().chunks(REPOSITORIES) {
        if let Break(stopped) = visit(poll, cursor, scan, repositories, How::Named, summary).await?
        {
            return Ok(Break(stopped));
        }
        scan.stage = Stage::Named { behind: repositories.last().map(Repository::to_string) };
    }
    Ok(Continue(()))
}

pub(super) async fn visit_catalog(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &mut Scan,
    (mut query, mut behind): (Option<String>, Option<String>),
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    let selection = &poll.instance.selection;
    let mut pages = poll.client.list_repositories(query.clone());
    let mut is_saved_position = query.is_some();
    loop {
        let Ok(page) = timeout_at(poll.look_until(), pages.next()).await else {
            return Ok(Break(Stopped::OutOfTime));
        };
        let mut page = match page {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(Continue(())),
            // Some registries refuse a position when the name it stands for is gone.
            Err(error) if is_saved_position && error.is_position_refused() => {
                debug!(error = %shared::telemetry::Causes(&error), "listing the catalog from its \
                    beginning");
                (query, behind, scan.catalogued, is_saved_position) = (None, None, 0, false);
                pages = poll.client.list_repositories(None);
                continue;
            }
            Err(error) if error.is_asked_to_wait() => return Ok(Break(Stopped::AskedToWait)),
            Err(error) => {
                let remedy = if error.is_catalog_refused() {
                    "; if the registry has none for us (GHCR, Docker Hub, GitLab), name the \
                     repositories in \
                     oci.repositories"
                } else {
                    ""
                };
                let error =
                    format!("the catalog cannot be read: {:#}{remedy}", anyhow::Error::new(error));
                warn!("{error}");
                summary.add_error(error);
                return Ok(Break(Stopped::Unreadable));
            }
        };
        is_saved_position = false;
        summary.skip_names(page.skipped);
        // Of a page that was read half before, the second half.
        let done = behind
            .take()
            .and_then(|behind| page.names.iter().position(|name| name.as_str() == behind));
        if done.is_none() {
            scan.catalogued += page.names.len() as u64;
        }
        page.names.drain(..done.map_or(0, |done| done + 1));
        page.names.retain(|repository| selection.takes(repository));
        for repositories in page.names.chunks(REPOSITORIES) {
            if let Break(stopped) =
                visit(poll, cursor, scan, repositories, How::Listed, summary).await?
            {
                return Ok(Break(stopped));
            }
            let behind = repositories.last().map(Repository::to_string);
            scan.stage = Stage::Catalog { query: query.clone(), behind };
        }
        query = pages.position().map(str::to_owned);
        scan.stage = Stage::Catalog { query: query.clone(), behind: None };
    }
}

/// Repositories whose rows are there and that nobody listed. They are asked for one by one; but if
/// the catalog lists nothing at all, it rather is the catalog that is gone.
pub(super) async fn visit_vanished(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &mut Scan,
    behind: Option<&str>,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    if !cursor.state.is_incomplete && !cursor.entries.has_unlisted() {
        return Ok(Continue(()));
    }
    let Poll { database, instance, .. } = poll;
    let known = database.known_repositories(&instance.registry).await?;
    let is_vanished = |name: &Repository| {
        instance.selection.takes(name)
            && !cursor.entries.get(name).is_some_and(|entry| entry.is_listed)
    };
    // Sorted by the database, and in the same way when this is gone on with.
    let done =
        known.iter().position(|name| Some(name.as_str()) == behind).map_or(0, |done| done + 1);
    let vanished: Vec<Repository> = known.into_iter().skip(done).filter(is_vanished).collect();
    let how = if scan.catalogued == 0 { How::WithoutCatalog } else { How::Vanished };
    if behind.is_none() {
        cursor.entries.forget_unlisted();
    }
    // Whoever goes on with this must come here again.
    cursor.state.is_incomplete = true;
    for repositories in vanished.chunks(REPOSITORIES) {
        if let Break(stopped) = visit(poll, cursor, scan, repositories, how, summary).await? {
            return Ok(Break(stopped));
        }
        scan.stage = Stage::Vanished { behind: repositories.last().map(Repository::to_string) };
    }
    Ok(Continue(()))
}
