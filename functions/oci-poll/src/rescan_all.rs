//! Reads every chart of an instance again. The place is stored after each page, so that a rescan
//! survives interruptions: the next request resumes it, and so does every scheduled invocation.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::db::{Introduction, WalkOver, WalkPlace};
use shared::reconcile::{Deletions, KnownPopulation, Listing};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::closed::{closed_error, registry_closed_until};
use crate::context::PollContext;
use crate::instance::Instance;
use crate::summary::PollSummary;
use crate::viewers::Viewers;
use crate::walk::{ReferenceWalk, WalkStep};

/// The most tags that are looked at together. It bounds the work that an interruption repeats.
const PAGE: i64 = 16;

/// The share of `maxConcurrency` that a rescan uses, so that the registry has room for others.
const SHARE: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not zero");

/// How long a scheduled invocation begins pages. The schedule starts the next one after a minute.
const SLICE_TIME: Duration = Duration::from_secs(20);

/// The most pages of a scheduled invocation.
const SLICE_PAGES: usize = 32;

/// The shortest time in which a scheduled invocation begins a page.
const SLICE_MIN: Duration = Duration::from_secs(2);

/// A rescan under way, as `discovery_instances.progress` has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rescan {
    /// When it began, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    began_at: OffsetDateTime,
    /// Everything up to here was read.
    behind: WalkPlace,
    /// The time before which the registry wants no request, as an answer to the rescan said.
    #[serde(default, with = "time::serde::rfc3339::option")]
    closed_until: Option<OffsetDateTime>,
}

/// The bounds of one invocation's share of a rescan.
struct Slice {
    pages: usize,
    /// When no other page begins.
    until: Instant,
    deadline: Instant,
}

/// Begins a rescan of the whole instance, or resumes the one under way. Returns a summary whose
/// `left` counts the tags that are not read again yet.
///
/// # Errors
/// Fails if the database or the credentials cannot be used. Errors of the registry are part of the
/// summary.
pub(crate) async fn handle_rescan_all(
    context: &PollContext,
    instance: &Instance,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let introduction = Introduction {
        name: &instance.name,
        provider: "oci",
        source: &instance.url.to_string(),
        configuration: &instance.configuration,
        function: &context.settings.function_name,
    };
    let began_at = context.database.introduce_instance(&introduction).await?.now;
    let rescan = match stored(context, instance).await? {
        Some(rescan) => rescan,
        None => Rescan { began_at, behind: WalkPlace::default(), closed_until: None },
    };
    let slice = Slice { pages: usize::MAX, until: deadline, deadline };
    let summary = Box::pin(read_again(context, instance, rescan, slice)).await?;
    summary.measure();
    Ok(serde_json::to_value(summary)?)
}

/// Continues the instance's rescan for a short time, if one is under way. The invocation's own work
/// is done, so that an error is only logged.
pub(crate) async fn resume_rescan(context: &PollContext, instance: &Instance, deadline: Instant) {
    let until = deadline.checked_sub(SLICE_MIN).unwrap_or(deadline);
    let until = until.min(Instant::now() + SLICE_TIME);
    let slice = Slice { pages: SLICE_PAGES, until, deadline };
    let resumed = async {
        let Some(rescan) = stored(context, instance).await? else { return Ok(None) };
        Box::pin(read_again(context, instance, rescan, slice)).await.map(Some)
    };
    match timeout_at(deadline, resumed).await.unwrap_or_else(|_| Err(anyhow!("no time"))) {
        Ok(None) => {}
        Ok(Some(summary)) => {
            let PollSummary { tags, left, ref errors, .. } = summary;
            summary.measure();
            info!(instance = instance.name, tags, left, errors = errors.len(), "rescan resumed");
        }
        Err(error) => warn!(instance = instance.name, "the rescan is not resumed: {error:#}"),
    }
}

/// Reads page after page within the bounds. Stores the place behind each one.
async fn read_again(
    context: &PollContext,
    instance: &Instance,
    mut rescan: Rescan,
    slice: Slice,
) -> anyhow::Result<PollSummary> {
    let (database, deadline) = (&context.database, slice.deadline);
    let viewers = Viewers::read(database, instance).await?;
    let client = context.clients.client(instance, &context.settings).await?;
    let walk = ReferenceWalk {
        context,
        instance,
        selection: viewers.own_selection(database, instance).await?,
        client: client.until(deadline).staying_closed(),
        over: WalkOver::Known,
        page_size: PAGE,
        concurrency: (instance.concurrency / SHARE).max(1),
        // A registry that suddenly has nothing is believed as little as in a pass.
        deletions: Deletions::HeldBack { hold: instance.deletion_hold },
        population: KnownPopulation::default(),
        listing: Listing::Unread,
        is_requested: true,
        deadline,
    };
    let mut summary = PollSummary::of(&instance.name);
    let mut is_over = false;
    rescan.closed_until = closed_until(context, instance, &rescan, deadline).await;
    if let Some(until) = rescan.closed_until {
        summary.add_error(closed_error(instance, until));
        database.set_instance_rescan(&instance.name, Some(&serde_json::to_value(&rescan)?)).await?;
    }
    for _ in 0..slice.pages {
        if Instant::now() >= slice.until || rescan.closed_until.is_some() {
            break;
        }
        let (step, _) = Box::pin(walk.step(&mut rescan.behind, &mut summary)).await?;
        is_over = step == WalkStep::Done;
        let wait = walk.client.closed_until().map(|until| until - Instant::now());
        rescan.closed_until = wait.map(|wait| OffsetDateTime::now_utc() + wait);
        let place = if is_over { None } else { Some(serde_json::to_value(&rescan)?) };
        database.set_instance_rescan(&instance.name, place.as_ref()).await?;
        if step != WalkStep::Further {
            break;
        }
    }
    let left = walk.count(&rescan.behind).await?;
    summary.left = Some(if is_over { 0 } else { left });
    summary.complete = is_over && !summary.pass_has_failed();
    Ok(summary)
}

/// Returns the time before which the registry wants no request, as the cursor or the rescan itself
/// remembers it.
async fn closed_until(
    context: &PollContext,
    instance: &Instance,
    rescan: &Rescan,
    deadline: Instant,
) -> Option<OffsetDateTime> {
    let own = rescan.closed_until.filter(|until| *until > OffsetDateTime::now_utc());
    own.max(registry_closed_until(context, instance, deadline).await)
}

async fn stored(context: &PollContext, instance: &Instance) -> anyhow::Result<Option<Rescan>> {
    let stored = context.database.instance_rescan(&instance.name).await?;
    // A place that another version wrote counts as none, so that the rescan begins again.
    Ok(stored.and_then(|stored| serde_json::from_value(stored).ok()))
}
