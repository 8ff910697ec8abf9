//! Decides about the tags that are held back, on request. Each of them is looked at first, because
//! a person's word changes no row that the registry contradicts.

use std::time::Duration;

use serde_json::Value;
use shared::db::{Mark, WalkOver, WalkPlace};
use shared::reconcile::{Deletions, KnownPopulation, Listing};
use tokio::time::Instant;

use crate::closed::check_open;
use crate::context::PollContext;
use crate::instance::Instance;
use crate::summary::PollSummary;
use crate::viewers::Viewers;
use crate::walk::{ReferenceWalk, WalkStep};

/// The most tags that are looked at together.
const PAGE: i64 = 128;

/// The decision about what is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Charts that are still missing become unavailable.
    Apply,
    /// The hold of charts that are still missing begins again.
    HoldAgain,
}

/// Looks at every tag that is held back. A tag that is there again is held back no longer.
/// Returns a summary whose `held` counts what is still held back. Safe to repeat.
///
/// # Errors
/// Fails if the database or the credentials cannot be used, or if the registry wants to be left
/// alone. Other errors of the registry are part of the
/// summary.
pub(crate) async fn handle_release(
    context: &PollContext,
    instance: &Instance,
    release: Release,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let (hold, listing) = match release {
        // The person's word stands in for the list that an unconfirmed absence needs.
        Release::Apply => (Duration::ZERO, Listing::Unlisted),
        // No hold is over, so that the looks make no row unavailable.
        Release::HoldAgain => (Duration::MAX, Listing::Unread),
    };
    check_open(context, instance, deadline).await?;
    let database = &context.database;
    let viewers = Viewers::read(database, instance).await?;
    let client = context.clients.client(instance, &context.settings).await?;
    let walk = ReferenceWalk {
        context,
        instance,
        selection: viewers.own_selection(database, instance).await?,
        client: client.until(deadline).staying_closed(),
        over: WalkOver::HeldBack,
        page_size: PAGE,
        concurrency: instance.concurrency,
        deletions: Deletions::HeldBack { hold },
        population: KnownPopulation::default(),
        listing,
        is_requested: false,
        deadline,
    };
    let mut summary = PollSummary::of(&instance.name);
    let mut place = WalkPlace::default();
    let end = loop {
        let (step, looked_at) = Box::pin(walk.step(&mut place, &mut summary)).await?;
        if release == Release::HoldAgain {
            let now = database.now().await?;
            database.mark(Mark::HeldAgain, &looked_at, now, walk.writer()).await?;
        }
        if step != WalkStep::Further {
            break step;
        }
    };
    summary.held = walk.count(&WalkPlace::default()).await?;
    summary.complete = end == WalkStep::Done && !summary.pass_has_failed();
    summary.measure();
    Ok(serde_json::to_value(summary)?)
}
