//! Polls an instance: takes the lease, makes the passes that the invocation has time for, and
//! records the result.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use shared::db::{Health, InstanceState, Introduction};
use shared::oci::{Client, RepositoryCatalog};
use shared::reconcile::KnownPopulation;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{info, warn};

use crate::closed::closed_error;
use crate::context::PollContext;
use crate::cursor::{Acquired, Cursor, Lease, Table, acquire, milliseconds, time_of};
use crate::former_names::{follow_name, former_rows};
use crate::instance::Instance;
use crate::other_writers::follow_other_writers;
use crate::pass::{self, Halt, Poll, Trigger};
use crate::schedule::{self, Due, First};
use crate::summary::PollSummary;

/// Time kept back for saving the cursor.
const SAVE_TIME: Duration = Duration::from_millis(250);

/// Time kept back for writing the instance's health, after the cursor.
const HEALTH_TIME: Duration = Duration::from_millis(150);

/// The error of an invocation that ends in the middle of a pass.
const OUT_OF_TIME: &str = "the invocation's time was over before the pass was";

/// One invocation for one instance.
struct PollRun<'a> {
    context: &'a PollContext,
    instance: &'a Instance,
    due: Due,
    began: Instant,
    /// When it began, by the database's clock.
    started_at: OffsetDateTime,
    /// When the cursor must be saved.
    save_until: Instant,
    /// How long that takes.
    save_time: Duration,
}

/// Whether the invocation had anything to do.
enum Done {
    /// It made passes, or tried to.
    Something,
    /// No pass was due, or another invocation is polling the instance.
    Nothing,
}

/// Polls an instance and returns the summary. Writes the instance's health if there was anything
/// to do.
///
/// # Errors
/// Fails if the database or the cursor cannot be used. The summary has the errors of the registry.
pub(crate) async fn handle_poll(
    context: &PollContext,
    instance: &Instance,
    due: Due,
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
    let introduced = context.database.introduce_instance(&introduction).await?;
    let started_at = introduced.now;
    if introduced.is_written {
        follow_name(&context.database, instance).await?;
    }
    let save_until = deadline.checked_sub(HEALTH_TIME).unwrap_or(deadline);
    let save_time = SAVE_TIME;
    let run = PollRun { context, instance, due, began, started_at, save_until, save_time };
    let mut summary = PollSummary::of(&instance.name);
    let outcome = Box::pin(run.poll(&mut summary)).await;
    if outcome.is_ok() {
        run.count_faults(&mut summary).await;
        run.find_former_rows(&mut summary).await;
    }
    summary.measure();
    let outcome =
        outcome.with_context(|| format!("cannot poll {} ({})", instance.name, instance.url));
    if !matches!(outcome, Ok(Done::Nothing)) {
        let recorded = run.record(&summary, outcome.as_ref().err());
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

impl PollRun<'_> {
    /// Returns when the passes must be over.
    fn deadline(&self) -> Instant {
        self.save_until.checked_sub(self.save_time).unwrap_or(self.save_until)
    }

    /// Takes the lease, makes the passes, and saves the cursor.
    async fn poll(&self, summary: &mut PollSummary) -> anyhow::Result<Done> {
        let Self { context, instance, save_until, .. } = *self;
        let deadline = self.deadline();
        let table = context.table.get_or_init(|| Table::new(&context.settings.cursor_table)).await;
        let warm = context.warm().remove(&instance.name);
        let subject = instance.cursor_subject();
        let acquired =
            Box::pin(acquire(table, &instance.name, &context.owner, &subject, warm, deadline));
        let acquired = timeout_at(save_until, acquired)
            .await
            .context("there was no time to read the cursor")?;
        let (lease, mut cursor) = match acquired? {
            Acquired::Lease(lease, cursor) => (lease, *cursor),
            Acquired::HeldBy(holder) => {
                summary.add_error(format!(
                    "another invocation is polling this instance: {holder} holds the lease"
                ));
                return Ok(Done::Nothing);
            }
        };
        let run = PollRun { save_time: SAVE_TIME + cursor.entries.write_time(), ..*self };
        let outcome = tokio::select! {
            outcome = Box::pin(run.passes(&lease, &mut cursor, summary)) => outcome,
            lost = lease.keep() => Err(lost),
            () = sleep_until(run.deadline()) => {
                Err(anyhow!("there was no time to write what was seen"))
            }
        };
        summary.lag = self.lag(&cursor);
        match outcome {
            Ok(done) => {
                let released = timeout_at(save_until, lease.release(cursor)).await;
                let warm = released.context("there was no time to write the cursor")??;
                context.warm().insert(instance.name.clone(), warm);
                Ok(done)
            }
            // The cursor is dropped, because rows may have been written that it does not include.
            // The next invocation notices that by the generation.
            Err(error) => {
                let abandoned = timeout_at(save_until, lease.abandon()).await;
                if let Err(error) = abandoned.context("there was no time").flatten() {
                    warn!("the lease was not given back: {error:#}");
                }
                Err(error)
            }
        }
    }

    /// Makes passes until the invocation's time is over.
    async fn passes(
        &self,
        lease: &Lease<'_>,
        cursor: &mut Cursor,
        summary: &mut PollSummary,
    ) -> anyhow::Result<Done> {
        let Self { context, instance, .. } = *self;
        let deadline = self.deadline();
        let Some(state) = self.wait_for_first(cursor).await? else { return Ok(Done::Nothing) };
        let Some(mut state) = self.wait_until_open(cursor, state, summary).await? else {
            return Ok(Done::Something);
        };
        let catalog = match context.clients.catalog(instance, &context.settings).await {
            Ok(catalog) => catalog.sharing_until(deadline),
            Err(error) => {
                summary.add_error(format!("{:#}", anyhow!(error)));
                return Ok(Done::Something);
            }
        };
        let database = &context.database;
        self.forget_faults(cursor).await?;
        loop {
            database.delete_outdated(&instance.name, cursor.state.generation).await?;
            follow_other_writers(database, &instance.name, cursor, state).await?;
            let pass_began = Instant::now();
            let was_begun_here = cursor.state.scan.is_none();
            let poll = self.pass(&catalog, state.now);
            match pass::run(&poll, cursor, summary).await {
                Ok(()) => summary.end_pass(was_begun_here.then(|| pass_began.elapsed())),
                Err(Halt::Unreadable) => {}
                // The rows stay, and the next invocation resumes the pass.
                Err(Halt::OutOfTime) => {
                    summary.add_error(OUT_OF_TIME.to_owned());
                    return Ok(Done::Something);
                }
                Err(Halt::AskedToWait) => {
                    self.remember_closed(&poll.client, cursor, summary);
                    return Ok(Done::Something);
                }
                Err(Halt::Failed(error)) => return Err(error),
            }
            lease.save(cursor).await?;
            let has_left_work = cursor.state.last_pass_at.is_none();
            let next = self.next_pass(pass_began, has_left_work, was_begun_here);
            let Some(next) = next else { return Ok(Done::Something) };
            sleep_until(next).await;
            state = database.instance_state(&instance.name).await?;
        }
    }

    /// Returns what a pass that begins now works with.
    fn pass(&self, catalog: &RepositoryCatalog, now: OffsetDateTime) -> Poll<'_> {
        Poll {
            database: &self.context.database,
            client: catalog.client().clone(),
            catalog: catalog.clone(),
            instance: self.instance,
            formats: self.context.formats.as_ref(),
            population: KnownPopulation::default(),
            deadline: self.deadline(),
            now,
            trigger: match self.due {
                Due::BySchedule => Trigger::Schedule,
                Due::Now => Trigger::Request,
            },
        }
    }

    /// Forgets the faults that no pass comes back to: those of repositories that are no longer
    /// selected or gone, and of another registry.
    async fn forget_faults(&self, cursor: &Cursor) -> anyhow::Result<()> {
        let Self { context, instance, .. } = *self;
        let (database, name) = (&context.database, &instance.name);
        // A cursor is new if the selection has changed.
        if cursor.state.is_incomplete {
            database.forget_unselected_faults(name, &instance.selection).await?;
        }
        let swept_until = cursor.state.swept_until(instance.verify_interval);
        Ok(database.forget_outdated_faults(name, &instance.registry, swept_until).await?)
    }

    /// Returns when the next pass begins, if this invocation makes one. `was_begun_here` says
    /// whether this invocation began the last one.
    fn next_pass(
        &self,
        last_began: Instant,
        has_left_work: bool,
        was_begun_here: bool,
    ) -> Option<Instant> {
        let (interval, now) = (self.instance.poll_interval, Instant::now());
        match self.due {
            _ if has_left_work => schedule::at_once(now, self.deadline()),
            Due::BySchedule => {
                schedule::next(interval, self.began, last_began, now, self.deadline())
            }
            // An interrupted pass is over, and the one that was asked for begins.
            Due::Now => (!was_begun_here).then_some(now),
        }
    }

    /// Waits until the first pass is due. Returns the instance's state then, or `None` if no pass
    /// is due in this invocation. An interrupted pass is resumed at once.
    async fn wait_for_first(&self, cursor: &mut Cursor) -> anyhow::Result<Option<InstanceState>> {
        let Self { context, instance, .. } = *self;
        let state = context.database.instance_state(&instance.name).await?;
        cursor.forget_future(state.now);
        let last =
            cursor.state.last_pass_at.filter(|_| cursor.state.scan.is_none()).and_then(time_of);
        let first = match self.due {
            Due::BySchedule => schedule::first(instance.poll_interval, last, state.now),
            Due::Now => First::After(Duration::ZERO),
        };
        match first {
            First::NotDue => Ok(None),
            First::After(Duration::ZERO) => Ok(Some(state)),
            First::After(wait) => {
                sleep(wait).await;
                Ok(Some(context.database.instance_state(&instance.name).await?))
            }
        }
    }

    /// Waits until the registry accepts requests again. Returns the instance's state, or `None`
    /// if the invocation ends sooner.
    async fn wait_until_open(
        &self,
        cursor: &mut Cursor,
        state: InstanceState,
        summary: &mut PollSummary,
    ) -> anyhow::Result<Option<InstanceState>> {
        let until = cursor.state.closed_until(state.now);
        cursor.state.closed_until = None;
        let Some(until) = until else { return Ok(Some(state)) };
        let wait = (until - state.now).unsigned_abs();
        if Instant::now() + wait >= self.deadline() {
            cursor.state.closed_until = Some(milliseconds(until));
            summary.add_error(closed_error(self.instance, until));
            return Ok(None);
        }
        sleep(wait).await;
        Ok(Some(self.context.database.instance_state(&self.instance.name).await?))
    }

    /// Remembers until when the registry wants no request.
    fn remember_closed(&self, client: &Client, cursor: &mut Cursor, summary: &mut PollSummary) {
        let wait = client.closed_until().map(|until| until - self.began);
        let until = self.started_at + wait.unwrap_or_default();
        cursor.state.closed_until = Some(milliseconds(until));
        summary.add_error(closed_error(self.instance, until));
    }

    /// Returns the seconds since the last whole pass began.
    fn lag(&self, cursor: &Cursor) -> Option<u64> {
        let begun_at = cursor.state.last_whole_pass_at.and_then(time_of)?;
        let age = self.started_at + self.began.elapsed() - begun_at;
        u64::try_from(age.whole_seconds()).ok()
    }

    /// Counts the references that wait or are past a limit. They only inform, so that an error here
    /// does not fail the invocation.
    async fn count_faults(&self, summary: &mut PollSummary) {
        let Self { context, instance, save_until, .. } = *self;
        let faults = context.database.fault_overview(&instance.name, &instance.registry);
        match timeout_at(save_until, faults).await {
            Ok(Ok(faults)) => summary.set_faults(faults),
            Ok(Err(error)) => warn!("the failed looks are not counted: {error:#}"),
            Err(_) => warn!("there was no time to count the failed looks"),
        }
    }

    /// Finds rows of an earlier address or name of the registry. They only inform, so that an error
    /// here does not fail the invocation.
    async fn find_former_rows(&self, summary: &mut PollSummary) {
        let Self { context, instance, save_until, .. } = *self;
        match timeout_at(save_until, former_rows(&context.database, instance)).await {
            Ok(Ok(former)) => summary.set_former(former),
            Ok(Err(error)) => warn!("cannot look for rows under former names: {error:#}"),
            Err(_) => warn!("there was no time to find the rows of former names"),
        }
    }

    /// Writes the instance's health.
    async fn record(
        &self,
        summary: &PollSummary,
        failure: Option<&anyhow::Error>,
    ) -> anyhow::Result<()> {
        let Self { context, instance, started_at, .. } = *self;
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
            // The invocation answers the failure itself, so that this error is only logged.
            (Err(error), Some(_)) => warn!("the health is not written: {error:#}"),
            (outcome, _) => outcome?,
        }
        Ok(())
    }
}
