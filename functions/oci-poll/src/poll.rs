//! One invocation: the lease, the passes it has time for, what becomes of them.

use std::ops::ControlFlow::Break;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use shared::db::{Health, Introduction};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{info, warn};

use crate::context::Context;
use crate::cursor::{Acquired, Cursor, Fit, Lease, Table, acquire};
use crate::instance::Instance;
use crate::pass::{self, Poll, Stopped};
use crate::schedule::{self, First};
use crate::summary::Summary;

/// Time kept back for saving the cursor, and then for the instance's health.
const SAVE_TIME: Duration = Duration::from_millis(250);
const HEALTH_TIME: Duration = Duration::from_millis(150);

/// Whether there was anything to do.
enum Done {
    /// Passes, or at least an attempt.
    Something,
    /// None was due, or it is another invocation's turn.
    Nothing,
}

pub(crate) async fn handle_poll(
    context: &Context,
    instance: Instance,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let began = Instant::now();
    let introduction = Introduction {
        name: &instance.name,
        provider: "oci",
        source: &instance.url.to_string(),
        configuration: &instance.configuration,
        function: &context.settings.function_name,
    };
    let started_at = context.database.introduce_instance(&introduction).await?;
    let mut summary = Summary::of(&instance.name);
    let save_until = deadline.checked_sub(HEALTH_TIME).unwrap_or(deadline);
    let outcome =
        Box::pin(poll(context, &instance, &mut summary, (began, started_at), save_until)).await;
    summary.measure();
    let outcome =
        outcome.with_context(|| format!("cannot poll {} ({})", instance.name, instance.url));
    if !matches!(outcome, Ok(Done::Nothing)) {
        let recorded = record(context, &instance, &summary, started_at, outcome.as_ref().err());
        if let Ok(recorded) = timeout_at(deadline, recorded).await {
            recorded?;
        } else {
            warn!("there was no time to write the instance's health");
        }
    }
    outcome?;
    info!(
        instance = summary.instance,
        passes = summary.passes,
        repositories = summary.repositories,
        tags = summary.tags,
        manifests = summary.manifests,
        added = summary.added,
        unavailable = summary.unavailable,
        held = summary.held,
        errors = summary.errors.len(),
        complete = summary.complete,
        duration_ms = began.elapsed().as_millis(),
        "invocation ended"
    );
    Ok(serde_json::to_value(summary)?)
}

async fn poll(
    context: &Context,
    instance: &Instance,
    summary: &mut Summary,
    (began, started_at): (Instant, OffsetDateTime),
    save_until: Instant,
) -> anyhow::Result<Done> {
    let deadline = save_until.checked_sub(SAVE_TIME).unwrap_or(save_until);
    let table = context.table.get_or_init(|| Table::new(&context.settings.cursor_table)).await;
    let warm = context.warm().remove(&instance.name);
    let subject = instance.cursor_subject();
    let acquired =
        Box::pin(acquire(table, &instance.name, &context.owner, &subject, warm, deadline));
    let acquired =
        timeout_at(save_until, acquired).await.context("there was no time to read the cursor")?;
    let (lease, mut cursor) = match acquired? {
        Acquired::Lease(lease, cursor) => (lease, *cursor),
        Acquired::HeldBy(holder) => {
            summary.add_error(format!(
                "another invocation is polling this instance: {holder} holds the lease"
            ));
            return Ok(Done::Nothing);
        }
    };
    let outcome = tokio::select! {
        outcome = Box::pin(passes(context, instance, &lease, &mut cursor, summary, (began,
            deadline))) => outcome,
        lost = lease.keep() => Err(lost),
        () = sleep_until(deadline) => Err(anyhow!("there was no time to write what was seen")),
    };
    let age = |begun_at| started_at + began.elapsed() - begun_at;
    let age = cursor.state.last_whole_pass_at.and_then(time_of).map(age);
    summary.lag = age.and_then(|age| u64::try_from(age.whole_seconds()).ok());
    match outcome {
        Ok(done) => {
            let released = timeout_at(save_until, lease.release(cursor)).await;
            let warm = released.context("there was no time to write the cursor")??;
            context.warm().insert(instance.name.clone(), warm);
            Ok(done)
        }
        // Rows may have been written that the cursor does not know of: its generation will
        // tell.
        Err(error) => {
            let abandoned = timeout_at(save_until, lease.abandon()).await;
            if let Err(error) = abandoned.context("there was no time").flatten() {
                warn!("the lease was not given back: {error:#}");
            }
            Err(error)
        }
    }
}

/// The passes that fall into the invocation.
async fn passes(
    context: &Context,
    instance: &Instance,
    lease: &Lease<'_>,
    cursor: &mut Cursor,
    summary: &mut Summary,
    (began, deadline): (Instant, Instant),
) -> anyhow::Result<Done> {
    let mut state = context.database.instance_state(&instance.name).await?;
    // A scan that was interrupted is gone on with at once.
    let last = cursor.state.last_pass_at.filter(|_| cursor.state.scan.is_none()).and_then(time_of);
    match schedule::first(instance.poll_interval, last, state.now) {
        First::NotDue => return Ok(Done::Nothing),
        First::After(Duration::ZERO) => {}
        First::After(wait) => {
            sleep(wait).await;
            state = context.database.instance_state(&instance.name).await?;
        }
    }
    let client = match context.clients.client(instance, &context.settings).await {
        Ok(client) => client.until(deadline),
        Err(error) => {
            summary.add_error(format!("{:#}", anyhow!(error)));
            return Ok(Done::Something);
        }
    };
    loop {
        match cursor.fit(state.generation) {
            Fit::Well => {}
            Fit::Behind => {
                info!("rows were written that the cursor does not know of: every list is compared");
            }
            Fit::Ahead => {
                info!("a backup was restored: every list is compared, and every tag verified");
            }
        }
        let pass_began = Instant::now();
        let was_begun_here = cursor.state.scan.is_none();
        let (database, client, formats) =
            (&context.database, client.clone(), context.formats.as_ref());
        let poll = Poll { database, client, instance, formats, deadline, now: state.now };
        match pass::run(&poll, cursor, summary).await? {
            Break(Stopped::OutOfTime) => {
                // What was written stays: the next invocation goes on from here.
                summary.add_error("the invocation's time was over before the pass was".to_owned());
                return Ok(Done::Something);
            }
            Break(Stopped::AskedToWait) => {
                summary.add_error(format!(
                    "{} asks to be left alone for now (Retry-After)",
                    instance.url
                ));
                return Ok(Done::Something);
            }
            ended => {
                if ended.is_continue() {
                    summary.end_pass(was_begun_here.then(|| pass_began.elapsed()));
                }
                lease.save(cursor).await?;
            }
        }
        let next =
            schedule::next(instance.poll_interval, began, pass_began, Instant::now(), deadline);
        let Some(next) = next else { return Ok(Done::Something) };
        sleep_until(next).await;
        state = context.database.instance_state(&instance.name).await?;
    }
}

async fn record(
    context: &Context,
    instance: &Instance,
    summary: &Summary,
    started_at: OffsetDateTime,
    failure: Option<&anyhow::Error>,
) -> anyhow::Result<()> {
    let failure = failure.map(|failure| format!("{failure:#}"));
    let error = failure.clone().or_else(|| summary.health_error());
    let shown = serde_json::to_value(summary)?;
    let health = Health {
        name: &instance.name,
        provider: "oci",
        source: &instance.url.to_string(),
        started_at,
        succeeded: failure.is_none() && summary.complete,
        error: error.as_deref(),
        summary: failure.is_none().then_some(&shown),
    };
    match (context.database.record_health(&health).await, failure) {
        // The failure itself is what the invocation answers.
        (Err(error), Some(_)) => warn!("the health is not written: {error:#}"),
        (outcome, _) => outcome?,
    }
    Ok(())
}

fn time_of(milliseconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}
