//! One pass over a registry: the repositories that the instance selects, every tag of each, the manifests of the tags
//! that were never looked at.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use shared::db::Database;
use shared::domain::{Reference, Repository, Subject, Tag, newest_first};
use shared::oci::{self, Client};
use shared::reconcile::{self, Hint, reconcile};
use tokio::time::Instant;
use tracing::{instrument, warn};

use crate::instance::Instance;
use crate::summary::Summary;

/// Tags looked up and written together. Bounds what is held in memory, and what an interrupted pass does again.
const BATCH: usize = 128;

/// Repositories whose tags are listed together.
const REPOSITORIES: usize = 100;

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was read.
    Reached,
    /// The deadline came first. What was seen is written.
    OutOfTime,
}

/// Goes once over the registry and counts what it does in `summary`, which tells how far it came if it is given up.
///
/// # Errors
/// When the catalog cannot be read, or the database. What goes wrong in one repository is noted in the summary, and
/// the others go on.
pub(crate) async fn run(
    database: &Database,
    client: &Client,
    instance: &Instance,
    summary: &mut Summary,
    deadline: Instant,
) -> anyhow::Result<End> {
    summary.passes += 1;
    let selection = &instance.selection;
    for repositories in selection.named().chunks(REPOSITORIES) {
        if poll(database, client, instance, repositories, summary, deadline).await? == End::OutOfTime {
            return Ok(End::OutOfTime);
        }
    }
    let mut catalog = selection.needs_catalog().then(|| client.list_repositories());
    while let Some(pages) = &mut catalog {
        let Some(mut page) = pages.next().await? else { break };
        summary.skipped += page.skipped;
        page.names.retain(|repository| selection.takes(repository));
        for repositories in page.names.chunks(REPOSITORIES) {
            if poll(database, client, instance, repositories, summary, deadline).await? == End::OutOfTime {
                return Ok(End::OutOfTime);
            }
        }
    }
    summary.complete = summary.errors.is_empty();
    Ok(End::Reached)
}

/// Polls some repositories: lists their tags, and looks up those that were never looked at.
async fn poll(
    database: &Database,
    client: &Client,
    instance: &Instance,
    repositories: &[Repository],
    summary: &mut Summary,
    deadline: Instant,
) -> anyhow::Result<End> {
    let listed = list(client, instance, repositories, summary).await;
    let known = database.known_tags(&instance.registry, repositories).await?;
    let registry = Arc::new(instance.registry.clone());
    // The newest tag of every repository, then the second newest of every one: people see the current charts while the
    // history is still loading.
    let mut ranked = Vec::new();
    for (repository, mut tags) in listed {
        let known: HashSet<&Tag> = known.get(repository).into_iter().flatten().collect();
        tags.retain(|tag| !known.contains(tag));
        newest_first(&mut tags);
        for (rank, tag) in tags.into_iter().enumerate() {
            let (registry, repository) = (Arc::clone(&registry), repository.clone());
            let subject = Subject { registry, repository, reference: Reference::Tag(tag) };
            ranked.push((rank, Hint { subject, push: None }));
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let hints: Vec<Hint> = ranked.into_iter().map(|(_, hint)| hint).collect();
    for batch in hints.chunks(BATCH) {
        if look_up(database, client, instance, batch, summary, deadline).await? == End::OutOfTime {
            return Ok(End::OutOfTime);
        }
    }
    Ok(End::Reached)
}

/// The tags of the repositories that can be listed; the others are noted.
async fn list<'a>(
    client: &Client,
    instance: &Instance,
    repositories: &'a [Repository],
    summary: &mut Summary,
) -> Vec<(&'a Repository, Vec<Tag>)> {
    let listings = repositories.iter().map(async |repository| (repository, list_tags(client, repository).await));
    let listings: Vec<_> = stream::iter(listings).buffer_unordered(instance.concurrency).collect().await;
    let mut listed = Vec::with_capacity(listings.len());
    for (repository, listing) in listings {
        match listing {
            Ok(Listing { tags, skipped }) => {
                summary.repositories += 1;
                summary.tags += tags.len() as u64;
                summary.skipped += skipped;
                listed.push((repository, tags));
            }
            // In the catalog and without tags: a first push under way, or manifests that have none. Nothing to look at,
            // and no evidence that anything was deleted. Of a repository named in the instance it is news.
            Err(error) if error.is_name_unknown() && instance.selection.takes(repository) => {
                summary.repositories += 1;
            }
            Err(error) => note(summary, repository, &error.into()),
        }
    }
    listed
}

async fn look_up(
    database: &Database,
    client: &Client,
    instance: &Instance,
    hints: &[Hint],
    summary: &mut Summary,
    deadline: Instant,
) -> anyhow::Result<End> {
    let client_for = |_: &_| client.clone();
    let Instance { kind_naming, concurrency, .. } = instance;
    let report = reconcile(database, client_for, hints.to_vec(), *kind_naming, *concurrency, deadline).await?;
    summary.manifests += report.lookups;
    summary.added += report.added;
    summary.unavailable += report.unavailable;
    summary.skipped += report.not_charts;
    for (hint, outcome) in hints.iter().zip(report.outcomes) {
        match outcome {
            Err(error) if matches!(*error, reconcile::Error::Unfinished { .. }) => {}
            Err(error) if error.is_beyond_limits() => {
                summary.skipped += 1;
                warn!("skipped: {:#}", anyhow::Error::new(error));
            }
            Err(error) => note(summary, &hint.subject.repository, &error.into()),
            Ok(()) => {}
        }
    }
    Ok(if report.unfinished > 0 { End::OutOfTime } else { End::Reached })
}

/// One repository's fault is no reason to leave the others.
fn note(summary: &mut Summary, repository: &Repository, error: &anyhow::Error) {
    warn!(%repository, "{error:#}");
    summary.add_error(format!("{repository}: {error:#}"));
}

struct Listing {
    tags: Vec<Tag>,
    skipped: u64,
}

#[instrument(name = "list", skip_all, fields(%repository))]
async fn list_tags(client: &Client, repository: &Repository) -> Result<Listing, oci::Error> {
    let mut listing = Listing { tags: Vec::new(), skipped: 0 };
    let mut pages = client.list_tags(repository);
    while let Some(page) = pages.next().await? {
        listing.tags.extend(page.names);
        listing.skipped += page.skipped;
    }
    Ok(listing)
}
