//! One invocation: a batch of messages, each decoded on its own, looked up together, answered one by one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow, bail};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use serde::Deserialize as _;
use serde_json::Value;
use shared::config::EcrEvents;
use shared::db::{Database, Writer};
use shared::domain::Registry;
use shared::oci::{self, Client, Connections, Login};
use shared::reconcile::{Deletions, Hint, Terms, reconcile};
use tokio::time::Instant;
use tracing::{debug, error, info, info_span, warn};

use crate::event::{Decoded, decode};

/// Requests to registries at the same time.
const CONCURRENCY: usize = 16;

/// Follows ECR's events.
pub(crate) struct Follower {
    settings: EcrEvents,
    database: Database,
    connections: Connections,
    /// One per registry, so that connections are used again.
    clients: Mutex<HashMap<Registry, Client>>,
}

/// One event, and the message that it came in, if it did.
struct Event<'a> {
    message_id: Option<&'a str>,
    body: &'a str,
}

/// What the events of a batch name, each with the position of its event.
#[derive(Default)]
struct Looks {
    hints: Vec<(usize, Hint)>,
    if_available: Vec<(usize, Hint)>,
}

/// What became of one event: an error means that it must come again.
type Outcome = Result<(), Arc<anyhow::Error>>;

impl Follower {
    pub(crate) fn new(settings: EcrEvents, connections: Connections) -> anyhow::Result<Self> {
        let database = Database::new(settings.database.clone())?;
        Ok(Self { settings, database, connections, clients: Mutex::default() })
    }

    /// Takes an SQS batch of EventBridge events and returns `{"batchItemFailures":[{"itemIdentifier":…}]}`; or takes
    /// one EventBridge event and returns `{}`.
    ///
    /// # Errors
    /// A payload of another shape; the failure of a single event. A batch fails message by message.
    pub(crate) async fn handle(&self, payload: Value, deadline: Instant) -> anyhow::Result<Value> {
        if let Some(records) = payload.get("Records") {
            let records = records.as_array().context("Records is not a list of SQS messages")?;
            return self.handle_batch(records, deadline).await;
        }
        if payload.get("detail-type").is_some() {
            let event = Event { message_id: None, body: &payload.to_string() };
            let outcomes = self.follow(&[event], deadline).await;
            return match outcomes.into_iter().next() {
                Some(Err(error)) => bail!("{error:#}"),
                Some(Ok(())) | None => Ok(serde_json::json!({})),
            };
        }
        bail!("unknown payload: ecr-events takes an SQS batch ({{\"Records\":[…]}}) or one EventBridge event of ECR")
    }

    /// Each record is decoded on its own: the library's type for the whole batch would lose all for one.
    async fn handle_batch(&self, records: &[Value], deadline: Instant) -> anyhow::Result<Value> {
        let messages: Vec<SqsMessage> = records.iter().map(decode_record).collect();
        let started = Instant::now();
        let events: Vec<Event<'_>> = messages.iter().map(Event::from).collect();
        let outcomes = self.follow(&events, deadline).await;
        let mut response = SqsBatchResponse::default();
        let mut said = HashSet::new();
        for (message, outcome) in messages.iter().zip(outcomes) {
            let Err(failure) = outcome else { continue };
            // An answer with an empty identifier fails the whole batch without saying why.
            let Some(id) = message.message_id.as_deref().filter(|id| !id.is_empty()) else {
                bail!("a message without a messageId failed: {failure:#}");
            };
            // A reason that many messages share is one line, not one per message.
            if said.insert(format!("{failure:#}")) {
                error!(message_id = id, "message not handled, it will come again: {failure:#}");
            }
            response.add_failure(id);
        }
        let (failed, duration_ms) = (response.batch_item_failures.len(), started.elapsed().as_millis());
        info!(messages = messages.len(), failed, duration_ms, "batch handled");
        Ok(serde_json::to_value(response)?)
    }

    /// Gives one outcome per event.
    async fn follow(&self, events: &[Event<'_>], deadline: Instant) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(events.len());
        let mut looks = Looks::default();
        for (position, event) in events.iter().enumerate() {
            let span = info_span!("event", message_id = event.message_id);
            outcomes.push(span.in_scope(|| match decode(event.body, &self.settings.accounts) {
                Ok(decoded) => {
                    looks.add(position, decoded);
                    Ok(())
                }
                Err(error) => Err(Arc::new(error)),
            }));
        }
        let concerned = looks.events();
        let failures = match tokio::time::timeout_at(deadline, self.look_up(looks, deadline)).await {
            Ok(Ok(failures)) => failures,
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

    /// Looks up what the events name and gives the events that failed. All of them fail with the database.
    async fn look_up(&self, looks: Looks, deadline: Instant) -> anyhow::Result<Vec<(usize, Arc<anyhow::Error>)>> {
        let Looks { mut hints, if_available } = looks;
        let tags = if_available.iter().map(|(_, hint)| &hint.subject);
        let available = self.database.available_tags(tags).await?;
        hints.extend(if_available.into_iter().filter(|(_, hint)| available.contains(&hint.subject)));

        let (events, hints): (Vec<usize>, Vec<Hint>) = hints.into_iter().unzip();
        let client_for = |registry: &Registry| self.client_for(registry, deadline);
        let writer = Writer { instance: None, kind_naming: self.settings.kind_naming };
        let terms = Terms { writer, concurrency: CONCURRENCY, deadline, deletions: Deletions::Believed };
        let report = reconcile(&self.database, client_for, hints, terms).await?;
        let mut failures = Vec::new();
        for (event, outcome) in events.into_iter().zip(report.outcomes) {
            match outcome {
                // Coming again would not change it.
                Err(error) if error.is_beyond_limits() => warn!("skipped: {:#}", anyhow::Error::new(error)),
                Err(error) => failures.push((event, Arc::new(error.into()))),
                Ok(()) => {}
            }
        }
        Ok(failures)
    }

    fn client_for(&self, registry: &Registry, deadline: Instant) -> Result<Client, oci::Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(registry) {
            return Ok(client.until(deadline));
        }
        let base = self.settings.registry_endpoint.as_ref().unwrap_or(registry.domain_name().address());
        let client = self.connections.client(base.clone(), Login::Anonymous, CONCURRENCY)?;
        clients.insert(registry.clone(), client.clone());
        Ok(client.until(deadline))
    }
}

impl<'a> From<&'a SqsMessage> for Event<'a> {
    fn from(message: &'a SqsMessage) -> Self {
        Self { message_id: message.message_id.as_deref(), body: message.body.as_deref().unwrap_or_default() }
    }
}

impl Looks {
    fn add(&mut self, event: usize, decoded: Decoded) {
        match decoded {
            Decoded::Skip(reason) => debug!("skipped: {reason}"),
            Decoded::Look(hints) => self.hints.extend(hints.into_iter().map(|hint| (event, hint))),
            Decoded::LookIfAvailable(hint) => self.if_available.push((event, hint)),
        }
    }

    fn events(&self) -> Vec<usize> {
        self.hints.iter().chain(&self.if_available).map(|(event, _)| *event).collect()
    }
}

/// A record that is no message keeps its id, and has a body that no event can be decoded from.
fn decode_record(record: &Value) -> SqsMessage {
    SqsMessage::deserialize(record).unwrap_or_else(|_| {
        let mut message = SqsMessage::default();
        message.message_id = record.get("messageId").and_then(Value::as_str).map(str::to_owned);
        message
    })
}

/// One reason for many events.
fn shared_by(events: &[usize], error: anyhow::Error) -> Vec<(usize, Arc<anyhow::Error>)> {
    let error = Arc::new(error);
    events.iter().map(|event| (*event, Arc::clone(&error))).collect()
}
