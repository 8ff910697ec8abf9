//! Follows the hints of one instance. Many hints of one repository cost one look.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use futures_util::StreamExt as _;
use futures_util::stream;
use shared::domain::Repository;
use shared::reconcile::KnownPopulation;
use shared::telemetry::Utc;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, info, info_span};

use super::message::PollHint;
use super::resolve::Resolver;
use crate::closed::registry_closed_until;
use crate::context::PollContext;
use crate::instance::Instance;
use crate::pass::{Halt, HintedTags, Poll, Trigger, visit_hinted};
use crate::summary::PollSummary;

/// The most repositories that are visited at the same time.
const VISITS: usize = 4;

/// A hint and the position of its message in the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchedHint<'a> {
    pub(super) position: usize,
    pub(super) hint: &'a PollHint,
}

/// A message that failed, by its position, and the reason.
#[derive(Debug)]
pub(super) struct FailedHint {
    pub(super) position: usize,
    pub(super) reason: Arc<anyhow::Error>,
}

/// The hints of one repository.
type ByRepository<'a> = BTreeMap<Repository, Vec<BatchedHint<'a>>>;

/// Returns the same failure for each of the hints.
pub(super) fn all_failed(hints: &[BatchedHint<'_>], reason: anyhow::Error) -> Vec<FailedHint> {
    let reason = Arc::new(reason);
    let failed = |hint: &BatchedHint<'_>| FailedHint {
        position: hint.position,
        reason: Arc::clone(&reason),
    };
    hints.iter().map(failed).collect()
}

/// Visits the repositories that the hints name, and returns the hints that failed. It needs no
/// lease, because the guard makes a look safe beside a pass.
pub(super) async fn follow_hints(
    context: &PollContext,
    instance: &Instance,
    hints: &[BatchedHint<'_>],
    deadline: Instant,
) -> Vec<FailedHint> {
    if hints.is_empty() || drops_hints(context, instance, hints, deadline).await {
        return Vec::new();
    }
    let poll = match timeout_at(deadline, begin(context, instance, deadline)).await {
        Ok(Ok(poll)) => poll,
        Ok(Err(error)) => return all_failed(hints, error),
        Err(_) => return all_failed(hints, out_of_time()),
    };
    let grouped = timeout_at(deadline, by_repository(&poll, hints)).await;
    let Ok((named, mut failed)) = grouped else { return all_failed(hints, out_of_time()) };
    let visits = named.iter().map(|(repository, hints)| {
        let span = info_span!("hint", instance = instance.name, %repository);
        visit(&poll, repository, hints).instrument(span)
    });
    let visits: Vec<Vec<FailedHint>> =
        stream::iter(visits).buffer_unordered(VISITS).collect().await;
    failed.extend(visits.into_iter().flatten());
    failed
}

/// Returns whether the hints are dropped because the registry is closed. SQS would deliver them
/// again until they are dead letters, and the next pass finds what they mean.
async fn drops_hints(
    context: &PollContext,
    instance: &Instance,
    hints: &[BatchedHint<'_>],
    deadline: Instant,
) -> bool {
    let Some(until) = registry_closed_until(context, instance, deadline).await else {
        return false;
    };
    let (instance, url, hints) = (&instance.name, &instance.url, hints.len());
    info!(instance, hints, "hints dropped: {url} asks to be left alone until {}", Utc(until));
    true
}

/// Makes the clients and settings of the visits.
async fn begin<'a>(
    context: &'a PollContext,
    instance: &'a Instance,
    deadline: Instant,
) -> anyhow::Result<Poll<'a>> {
    let catalog = context.clients.catalog(instance, &context.settings).await?;
    let catalog = catalog.sharing_until(deadline);
    Ok(Poll {
        database: &context.database,
        client: catalog.client().clone(),
        catalog,
        instance,
        formats: context.formats.as_ref(),
        population: KnownPopulation::default(),
        deadline,
        now: context.database.instance_state(&instance.name).await?.now,
        trigger: Trigger::Webhook,
    })
}

/// Groups the hints by the repository that they mean. Drops those of repositories that the instance
/// does not select.
async fn by_repository<'a>(
    poll: &Poll<'_>,
    hints: &[BatchedHint<'a>],
) -> (ByRepository<'a>, Vec<FailedHint>) {
    let resolver =
        Resolver { database: poll.database, client: &poll.client, instance: poll.instance };
    let mut by_place: BTreeMap<_, Vec<BatchedHint<'a>>> = BTreeMap::new();
    for hint in hints {
        if let Some(place) = &hint.hint.place {
            by_place.entry(place).or_default().push(*hint);
        }
    }
    let (mut named, mut failed) = (ByRepository::new(), Vec::new());
    for (place, hints) in by_place {
        match resolver.resolve(place).await {
            Ok(Some(repository)) => named.entry(repository).or_default().extend(hints),
            Ok(None) => info!(
                instance = poll.instance.name,
                repository = %place.repository,
                "hint dropped: the instance does not select it"
            ),
            Err(error) => failed.extend(all_failed(&hints, error)),
        }
    }
    (named, failed)
}

/// Visits a repository once for all its hints.
async fn visit(
    poll: &Poll<'_>,
    repository: &Repository,
    hints: &[BatchedHint<'_>],
) -> Vec<FailedHint> {
    let mut summary = PollSummary::of(&poll.instance.name);
    let tags = hinted_tags(hints);
    let visited = visit_hinted(poll, repository, &tags, &mut summary);
    let visited = timeout_at(poll.deadline, Box::pin(visited)).await;
    summary.measure();
    if let Some(changed_at) = summary.changed_at {
        for BatchedHint { hint, .. } in hints {
            hint.announced.measure(&poll.instance.name, changed_at);
        }
    }
    let PollSummary { tags, manifests, added, unavailable, held, .. } = summary;
    info!(hints = hints.len(), tags, manifests, added, unavailable, held, "repository visited");
    let outcome = match visited.unwrap_or(Err(Halt::OutOfTime)) {
        Err(Halt::OutOfTime) => Err(out_of_time()),
        Err(Halt::AskedToWait) => Err(anyhow!("{} asks to be left alone", poll.instance.url)),
        Err(Halt::Failed(error)) => Err(error),
        Err(Halt::Unreadable) => Err(anyhow!(summary.errors.join("; "))),
        Ok(()) if summary.pass_has_failed() => Err(anyhow!(summary.errors.join("; "))),
        Ok(()) => Ok(()),
    };
    match outcome.with_context(|| format!("cannot follow the hint at {repository}")) {
        Ok(()) => Vec::new(),
        Err(error) => all_failed(hints, error),
    }
}

/// Returns the tags that some hints of one repository mean.
fn hinted_tags(hints: &[BatchedHint<'_>]) -> HintedTags {
    let named = hints.iter().filter_map(|hint| hint.hint.tag.clone()).collect();
    HintedTags { named, any: hints.iter().any(|hint| hint.hint.tag.is_none()) }
}

fn out_of_time() -> anyhow::Error {
    anyhow!("the invocation's time was over")
}
