//! Handles a batch: decodes each message on its own, looks up all hints together, and reports each
//! failed message.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use aws_lambda_events::sqs::SqsBatchResponse;
use serde_json::{Value, json};
use shared::db::Arrival;
use shared::domain::{Reference, Subject};
use shared::reconcile::{self, Hint, Report};
use time::{Duration, OffsetDateTime};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, error, info, info_span, warn};

use super::event::{Decoded, EventScope, decode};
use super::message::IncomingEvent;
use crate::arrival::RegionArrival;
use crate::context::Context;
use crate::health::note_events;
use crate::look_up::look_up;
use crate::retry::retry;

/// The time after a push in which the registry may not show it yet.
const PUSH_VISIBLE_AFTER: Duration = Duration::seconds(60);

/// The pause before the second look at such a push. Without it the message would have to wait for
/// the queue's visibility timeout, which is minutes.
const PUSH_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// The least time that a look needs.
const LOOK_TIME: std::time::Duration = std::time::Duration::from_secs(1);

/// Limits the time that is kept for the second looks, so that a look that hangs cannot use it.
const SECOND_LOOK_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// Collects the hints of a batch, each with the position of its event.
#[derive(Default)]
struct EventHints {
    hints: Vec<(usize, Hint)>,
    if_available: Vec<(usize, Hint)>,
}

/// An event that failed, by its position, and the reason.
type FailedEvent = (usize, Arc<anyhow::Error>);

/// The result of looking up some hints.
struct EventLooks {
    failures: Vec<FailedEvent>,
    /// The failures of pushes that the registry does not show yet.
    not_visible: Vec<InvisiblePush>,
    /// The tags that got an available row.
    available: HashSet<Subject>,
    changes: Vec<EventChange>,
}

/// A row that changed because of an event.
struct EventChange {
    /// The position of the event.
    event: usize,
    /// When the push was made, if the event says so.
    pushed_at: Option<OffsetDateTime>,
    committed_at: OffsetDateTime,
}

/// The result of following some events.
struct FollowedEvents {
    failures: Vec<FailedEvent>,
    changes: Vec<EventChange>,
}

/// A push that the registry does not show yet.
struct InvisiblePush {
    event: usize,
    hint: Hint,
    failure: Arc<anyhow::Error>,
}

/// The result of one event. An error makes SQS deliver the event again.
type Outcome = Result<(), Arc<anyhow::Error>>;

/// Handles a batch and returns the messages that failed. It decodes each record on its own, so that
/// one bad record does not fail the whole batch.
///
/// # Errors
/// Fails if a message without an identifier fails.
pub(crate) async fn handle_batch(
    context: &Context,
    records: &[Value],
    deadline: Instant,
) -> anyhow::Result<Value> {
    let started = Instant::now();
    let events: Vec<IncomingEvent<'_>> = records.iter().map(IncomingEvent::from_record).collect();
    let outcomes = follow(context, &events, deadline).await;
    let mut response = SqsBatchResponse::default();
    let mut said = HashSet::new();
    for (event, outcome) in events.iter().zip(outcomes) {
        let Err(failure) = outcome else { continue };
        let Some(id) = event.message_id else {
            bail!("a message without a messageId failed: {failure:#}");
        };
        // Messages with the same reason get one log line, so that the log stays short.
        if said.insert(format!("{failure:#}")) {
            log_failure(id, &failure);
        }
        response.add_failure(id);
    }
    let (failed, duration_ms) = (response.batch_item_failures.len(), started.elapsed().as_millis());
    info!(messages = events.len(), failed, duration_ms, "batch handled");
    Ok(serde_json::to_value(response)?)
}

/// Logs why a message comes again. A push that is not visible yet is no error.
fn log_failure(id: &str, failure: &anyhow::Error) {
    let cause = failure.downcast_ref::<Arc<reconcile::Error>>();
    if cause.is_some_and(|cause| cause.is_not_visible()) {
        info!(message_id = id, "SQS delivers the message again: {failure:#}");
    } else {
        error!(message_id = id, "message not handled, SQS delivers it again: {failure:#}");
    }
}

/// Returns one outcome per event.
async fn follow(
    context: &Context,
    events: &[IncomingEvent<'_>],
    deadline: Instant,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(events.len());
    let mut event_hints = EventHints::default();
    for (position, event) in events.iter().enumerate() {
        let span = info_span!("event", message_id = event.message_id);
        outcomes.push(span.in_scope(|| match decode_event(context, event) {
            Ok(decoded) => {
                event_hints.add(position, decoded);
                Ok(())
            }
            Err(error) => Err(Arc::new(error)),
        }));
    }
    let concerned = event_hints.events();
    let now = OffsetDateTime::now_utc();
    let arrivals = event_hints.arrivals(|position| {
        events.get(position).map_or(Arrival::InTime, |event| event.arrival(now))
    });
    let failures = match timeout_at(deadline, look_up_events(context, event_hints, deadline)).await
    {
        Ok(Ok(FollowedEvents { failures, changes })) => {
            measure_changes(context, events, &changes, now);
            note_events(context, arrivals, deadline).await;
            failures
        }
        Ok(Err(error)) => shared_by(&concerned, error),
        Err(_) => shared_by(&concerned, anyhow!("the invocation's time was over")),
    };
    for (event, failure) in failures {
        if let Some(outcome) = outcomes.get_mut(event) {
            *outcome = Err(failure);
        }
    }
    outcomes
}

/// Records how long each change took from its event to its row. `now` is when the batch arrived.
fn measure_changes(
    context: &Context,
    events: &[IncomingEvent<'_>],
    changes: &[EventChange],
    now: OffsetDateTime,
) {
    let mut measured = HashSet::new();
    for EventChange { event, pushed_at, committed_at } in changes {
        if let Some(incoming) = events.get(*event)
            && measured.insert(*event)
        {
            let announced = incoming.announced(*pushed_at, now);
            announced.measure(context.measured_name(), *committed_at);
        }
    }
}

/// Decodes one event. A panic fails only its message.
fn decode_event(context: &Context, event: &IncomingEvent<'_>) -> anyhow::Result<Decoded> {
    let settings = &context.settings;
    let scope = EventScope { accounts: &settings.accounts, selection: &settings.selection };
    let hook = settings.panic_on.as_deref();
    let body = event.body;
    let fresh_since =
        event.is_first_receive().then(|| OffsetDateTime::now_utc() - PUSH_VISIBLE_AFTER);
    let decoded = std::panic::catch_unwind(|| {
        assert!(
            !hook.is_some_and(|text| body.contains(text)),
            "the message has what TEST_PANIC_ON names"
        );
        decode(body, scope, fresh_since)
    });
    decoded
        .unwrap_or_else(|_| bail!("decoding the message panicked: please report this with the log"))
}

/// Looks up the hints and returns the events that failed, and what changed. If the database fails,
/// all events fail.
///
/// An event without a chart matters only if its tag has an available row. Another event may be
/// writing that row, in this batch or in another function. So these events are decided after the
/// others, and each tag that got a row is looked up once more: one of the two looks comes after
/// both the row and the push.
async fn look_up_events(
    context: &Context,
    event_hints: EventHints,
    deadline: Instant,
) -> anyhow::Result<FollowedEvents> {
    let EventHints { hints, if_available } = event_hints;
    let left = deadline.saturating_duration_since(Instant::now());
    let first_until = deadline.checked_sub(SECOND_LOOK_TIME.min(left / 3)).unwrap_or(deadline);
    let EventLooks { mut failures, not_visible, available: added, mut changes } =
        look_up_some(context, &hints, first_until).await?;

    let tags: Vec<&Subject> = if_available.iter().map(|(_, hint)| &hint.subject).collect();
    let available =
        retry(deadline, || context.database.available_tags(tags.iter().copied())).await?;
    let is_new = |hint: &Hint| added.contains(&hint.subject) && !available.contains(&hint.subject);
    let again = hints.into_iter().filter(|(_, hint)| is_new(hint));
    let mut second: Vec<(usize, Hint)> =
        again.map(|(event, hint)| (event, Hint { awaits_push: false, ..hint })).collect();
    second.extend(if_available.into_iter().filter(|(_, hint)| available.contains(&hint.subject)));
    if wait_for_pushes(&not_visible, deadline).await {
        second.extend(not_visible.into_iter().map(|push| (push.event, push.hint)));
    } else {
        failures.extend(not_visible.into_iter().map(|push| (push.event, push.failure)));
    }
    let second = look_up_some(context, &second, deadline).await?;
    failures.extend(second.failures);
    failures.extend(second.not_visible.into_iter().map(|push| (push.event, push.failure)));
    changes.extend(second.changes);
    Ok(FollowedEvents { failures, changes })
}

/// Waits until the registry may show the pushes. Returns false if there is no time for that.
async fn wait_for_pushes(pushes: &[InvisiblePush], deadline: Instant) -> bool {
    let end = Instant::now() + PUSH_PAUSE;
    let has_time = end + LOOK_TIME < deadline;
    if has_time && !pushes.is_empty() {
        sleep_until(end).await;
    }
    has_time
}

/// Looks up some hints, each with the position of its event.
async fn look_up_some(
    context: &Context,
    hints: &[(usize, Hint)],
    deadline: Instant,
) -> anyhow::Result<EventLooks> {
    let only_hints: Vec<Hint> = hints.iter().map(|(_, hint)| hint.clone()).collect();
    let report = look_up(context, only_hints, deadline).await?;
    let changes = changes(hints, &report);
    let (mut failures, mut not_visible) = (Vec::new(), Vec::new());
    for ((event, hint), outcome) in hints.iter().zip(report.outcomes) {
        match outcome {
            // The message does not fail, because SQS would deliver it again, and the content would
            // still exceed the limit.
            Err(error) if error.is_beyond_limits() => {
                warn!("skipped: {:#}", anyhow::Error::new(error));
            }
            Err(error) if error.is_not_visible() => {
                let failure = Arc::new(error.into());
                not_visible.push(InvisiblePush { event: *event, hint: hint.clone(), failure });
            }
            Err(error) => failures.push((*event, Arc::new(error.into()))),
            Ok(()) => {}
        }
    }
    let available = report.available.into_iter().collect();
    Ok(EventLooks { failures, not_visible, available, changes })
}

/// Returns the hints whose rows changed. A hint about a digest may change any tag of its
/// repository.
fn changes(hints: &[(usize, Hint)], report: &Report) -> Vec<EventChange> {
    let committed_at = OffsetDateTime::now_utc();
    let changed = || report.available.iter().chain(&report.retired);
    let has_changed = |hint: &Hint| match hint.subject.reference {
        Reference::Tag(_) => changed().any(|subject| *subject == hint.subject),
        Reference::Digest(_) => changed().any(|subject| {
            (&subject.registry, &subject.repository)
                == (&hint.subject.registry, &hint.subject.repository)
        }),
    };
    let change = |(event, hint): &(usize, Hint)| EventChange {
        event: *event,
        pushed_at: hint.push.as_ref().map(|push| push.pushed_at),
        committed_at,
    };
    hints.iter().filter(|(_, hint)| has_changed(hint)).map(change).collect()
}

/// Handles one EventBridge event and returns `{}`.
///
/// # Errors
/// Fails if the event fails.
pub(crate) async fn handle_event(
    context: &Context,
    event: &Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let body = event.to_string();
    match follow(context, &[IncomingEvent::alone(&body)], deadline).await.into_iter().next() {
        Some(Err(error)) => bail!("{error:#}"),
        Some(Ok(())) | None => Ok(json!({})),
    }
}

impl EventHints {
    fn add(&mut self, event: usize, decoded: Decoded) {
        match decoded {
            Decoded::Skip(reason) => debug!("skipped: {reason}"),
            Decoded::Look(hints) => self.hints.extend(hints.into_iter().map(|hint| (event, hint))),
            Decoded::LookIfAvailable(hints) => {
                self.if_available.extend(hints.into_iter().map(|hint| (event, hint)));
            }
        }
    }

    /// Returns how the events about charts arrived, by region. `arrival` takes the position of an
    /// event.
    fn arrivals(&self, arrival: impl Fn(usize) -> Arrival) -> HashSet<RegionArrival> {
        let arrived = |(event, hint): &(usize, Hint)| {
            let (_, region) = hint.subject.registry.domain_name().address().ecr()?;
            Some(RegionArrival { region, arrival: arrival(*event) })
        };
        self.hints.iter().filter_map(arrived).collect()
    }

    fn events(&self) -> Vec<usize> {
        self.hints.iter().chain(&self.if_available).map(|(event, _)| *event).collect()
    }
}

/// Returns the same error for each of the events.
fn shared_by(events: &[usize], error: anyhow::Error) -> Vec<FailedEvent> {
    let error = Arc::new(error);
    events.iter().map(|event| (*event, Arc::clone(&error))).collect()
}
