//! One pass over a registry: every page of its catalog, every tag of every repository, the manifests of the tags that
//! were never looked at.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use shared::db::Database;
use shared::domain::{Reference, Repository, Subject, Tag};
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
    let mut catalog = client.list_repositories();
    while let Some(page) = catalog.next().await? {
        summary.skipped += page.skipped;
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
    let listed = list(client, repositories, instance.concurrency, summary).await;
    let known = database.known_tags(&instance.registry, repositories).await?;
    let registry = Arc::new(instance.registry.clone());
    let mut hints = Vec::new();
    for (repository, tags) in listed {
        let known: HashSet<&Tag> = known.get(repository).into_iter().flatten().collect();
        for tag in tags.into_iter().filter(|tag| !known.contains(tag)) {
            let (registry, repository) = (Arc::clone(&registry), repository.clone());
            let subject = Subject { registry, repository, reference: Reference::Tag(tag) };
            hints.push(Hint { subject, push: None });
        }
    }
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
    repositories: &'a [Repository],
    concurrency: usize,
    summary: &mut Summary,
) -> Vec<(&'a Repository, Vec<Tag>)> {
    let listings = repositories.iter().map(async |repository| (repository, list_tags(client, repository).await));
    let listings: Vec<_> = stream::iter(listings).buffer_unordered(concurrency).collect().await;
    let mut listed = Vec::with_capacity(listings.len());
    for (repository, listing) in listings {
        match listing {
            Ok(Listing { tags, skipped }) => {
                summary.repositories += 1;
                summary.tags += tags.len() as u64;
                summary.skipped += skipped;
                listed.push((repository, tags));
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
    loop {
        match pages.next().await {
            Ok(Some(page)) => {
                listing.tags.extend(page.names);
                listing.skipped += page.skipped;
            }
            Ok(None) => return Ok(listing),
            // In the catalog and without tags: a first push under way, or manifests that have none. Nothing to look at,
            // and no evidence that anything was deleted.
            Err(error) if error.is_name_unknown() => return Ok(listing),
            Err(error) => return Err(error),
        }
    }
}
