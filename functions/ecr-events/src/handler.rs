//! One invocation: a batch of messages, each decoded on its own, looked up together, answered one
//! by one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use futures_util::FutureExt as _;
use serde::Deserialize as _;
use serde_json::{Value, json};
use shared::aws::EcrLogin;
use shared::config::EcrEvents;
use shared::db::{self, Database, Health, Writer};
use shared::diagnose::{Followed, diagnose};
use shared::domain::{Account, Region, Registry, Subject};
use shared::oci::{self, Client, Connections, Login};
use shared::reconcile::{Deletions, Hint, KnownFormats, Report, Terms, reconcile};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, error, info, info_span, warn};

use crate::batch::{Decoded, decode};
use crate::payload::{Backfill, Payload};

/// Requests to registries at the same time.
const CONCURRENCY: usize = 16;

/// The longest pause before the database is tried again; each further one may be twice as long, up
/// to the second.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Time kept back for writing an instance's health.
const HEALTH_TIME: Duration = Duration::from_millis(300);

/// Time that an attempt must be left to be worth making.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// Follows ECR's events.
pub(crate) struct Follower {
    pub(crate) settings: EcrEvents,
    pub(crate) database: Database,
    connections: Connections,
    /// What takes tags apart, if `ENABLE_TAG_PARSER` says so.
    formats: Option<KnownFormats>,
    /// One per registry, so that connections are used again.
    pub(crate) clients: Mutex<HashMap<Registry, Client>>,
    /// When it was last noted that an event came, by region.
    pub(crate) noted: Mutex<HashMap<Region, Instant>>,
    /// One per region: a token is good for every account's registry that lets us in.
    logins: Mutex<HashMap<Region, Arc<EcrLogin>>>,
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
        let formats = settings.parse_tags.then(KnownFormats::default);
        Ok(Self {
            settings,
            database,
            connections,
            formats,
            clients: Mutex::default(),
            noted: Mutex::default(),
            logins: Mutex::default(),
        })
    }

    /// Takes an SQS batch of EventBridge events and returns
    /// `{"batchItemFailures":[{"itemIdentifier":…}]}`; takes one EventBridge event and returns
    /// `{}`; takes a backfill or a rescan and returns what came of it; or says why a chart is or is
    /// not there, and returns a [`shared::diagnose::Live`].
    ///
    /// # Errors
    /// A payload of another shape; the failure of a single event, of a rescan, or of a backfill as
    /// a whole. A batch fails message by message.
    pub(crate) async fn handle(&self, payload: Value, deadline: Instant) -> anyhow::Result<Value> {
        let answer = self.answer(Payload::read(payload)?, deadline).await;
        self.measure_requests();
        answer
    }

    async fn answer(&self, payload: Payload, deadline: Instant) -> anyhow::Result<Value> {
        match payload {
            Payload::Batch(records) => self.handle_batch(&records, deadline).await,
            Payload::Event(event) => {
                let event = Event { message_id: None, body: &event.to_string() };
                let outcomes = self.follow(&[event], deadline).await;
                match outcomes.into_iter().next() {
                    Some(Err(error)) => bail!("{error:#}"),
                    Some(Ok(())) | None => Ok(json!({})),
                }
            }
            Payload::Backfill(request) => self.handle_backfill(&request, deadline).await,
            Payload::Rescan(subject) => {
                let account =
                    subject.registry.domain_name().address().ecr().map(|(account, _)| account);
                if !self.accepts(account.as_ref()) {
                    bail!(
                        "rescan.registry {} is not of an account in ECR_ACCOUNTS",
                        subject.registry.host()
                    );
                }
                let looked = self
                    .reconcile(vec![Hint { is_requested: true, ..Hint::at(subject) }], deadline);
                let report = timeout_at(deadline, looked)
                    .await
                    .context("the invocation's time was over")??;
                if let Some(Err(error)) = report.outcomes.into_iter().next() {
                    return Err(error.into());
                }
                let Report { lookups, added, unavailable, broken, .. } = report;
                Ok(
                    json!({"manifests": lookups, "added": added, "unavailable": unavailable, "broken": broken}),
                )
            }
            Payload::Diagnose(target) => {
                let account =
                    target.registry.domain_name().address().ecr().map(|(account, _)| account);
                let followed = Followed::Told { is_accepted: self.accepts(account.as_ref()) };
                let client = self.client_for(&target.registry, deadline)?;
                Ok(serde_json::to_value(diagnose(&client, &target, followed, deadline).await)?)
            }
        }
    }

    fn accepts(&self, account: Option<&Account>) -> bool {
        let accepted = &self.settings.accounts;
        accepted.is_empty() || account.is_some_and(|account| accepted.contains(account))
    }

    /// Shows the outcome in the instance's health as well.
    async fn handle_backfill(
        &self,
        request: &Backfill,
        deadline: Instant,
    ) -> anyhow::Result<Value> {
        if let Some(account) = &request.account
            && !self.accepts(Some(account))
        {
            bail!("backfill.registryId {account} is not in ECR_ACCOUNTS");
        }
        let introduced = self.introduce(&request.region, async |introduction| {
            self.database.introduce_instance(introduction).await
        });
        let started_at =
            timeout_at(deadline, introduced).await.context("the invocation's time was over")??;
        let stop_at = deadline.checked_sub(HEALTH_TIME).unwrap_or(deadline);
        let outcome = timeout_at(stop_at, Box::pin(self.backfill(request, stop_at))).await;
        let outcome = outcome.unwrap_or_else(|_| {
            Err(anyhow!("the invocation's time was over before its place was kept"))
        });
        if let Ok(summary) = &outcome
            && !summary.was_due()
        {
            return Ok(serde_json::to_value(summary)?);
        }
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let summary = outcome.as_ref().ok().map(serde_json::to_value).transpose()?;
        let (succeeded, error) =
            outcome.as_ref().map_or((false, None), crate::backfill::Summary::health);
        let source = request.region.to_string();
        let name = self.instance_name(&request.region);
        let health = Health {
            name: &name,
            provider: "ecr",
            source: &source,
            started_at,
            succeeded,
            error: failure.as_deref().or(error),
            summary: summary.as_ref(),
        };
        let recorded = timeout_at(deadline, self.database.record_health(&health)).await;
        let summary = serde_json::to_value(outcome?)?;
        recorded.context("there was no time to write the instance's health")??;
        Ok(summary)
    }

    /// Each record is decoded on its own: the library's type for the whole batch would lose all for
    /// one.
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
        let (failed, duration_ms) =
            (response.batch_item_failures.len(), started.elapsed().as_millis());
        info!(messages = messages.len(), failed, duration_ms, "batch handled");
        Ok(serde_json::to_value(response)?)
    }

    /// Gives one outcome per event.
    async fn follow(&self, events: &[Event<'_>], deadline: Instant) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(events.len());
        let mut looks = Looks::default();
        for (position, event) in events.iter().enumerate() {
            let span = info_span!("event", message_id = event.message_id);
            outcomes.push(span.in_scope(|| match self.decode(event.body) {
                Ok(decoded) => {
                    looks.add(position, decoded);
                    Ok(())
                }
                Err(error) => Err(Arc::new(error)),
            }));
        }
        let concerned = looks.events();
        let regions = looks.regions();
        let failures = match timeout_at(deadline, self.look_up(looks, deadline)).await {
            Ok(Ok(failures)) => {
                self.note_events(regions, deadline).await;
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

    /// A message that makes us panic is one message that failed.
    fn decode(&self, body: &str) -> anyhow::Result<Decoded> {
        let (hook, accounts) = (self.settings.panic_on.as_deref(), &self.settings.accounts);
        let decoded = std::panic::catch_unwind(|| {
            assert!(
                !hook.is_some_and(|text| body.contains(text)),
                "the message has what TEST_PANIC_ON names"
            );
            decode(body, accounts)
        });
        decoded.unwrap_or_else(|_| {
            bail!("decoding the message panicked: please report this with the log")
        })
    }

    /// Looks up what the events name and gives the events that failed. All of them fail with the
    /// database.
    async fn look_up(
        &self,
        looks: Looks,
        deadline: Instant,
    ) -> anyhow::Result<Vec<(usize, Arc<anyhow::Error>)>> {
        let Looks { mut hints, if_available } = looks;
        let tags: Vec<&Subject> = if_available.iter().map(|(_, hint)| &hint.subject).collect();
        let available =
            self.patiently(deadline, || self.database.available_tags(tags.iter().copied())).await?;
        hints
            .extend(if_available.into_iter().filter(|(_, hint)| available.contains(&hint.subject)));

        let (events, hints): (Vec<usize>, Vec<Hint>) = hints.into_iter().unzip();
        let report = self.reconcile(hints, deadline).await?;
        let mut failures = Vec::new();
        for (event, outcome) in events.into_iter().zip(report.outcomes) {
            match outcome {
                // Coming again would not change it.
                Err(error) if error.is_beyond_limits() => {
                    warn!("skipped: {:#}", anyhow::Error::new(error));
                }
                Err(error) => failures.push((event, Arc::new(error.into()))),
                Ok(()) => {}
            }
        }
        Ok(failures)
    }

    /// Looks at what the hints name and writes what follows, at their word. A database that is away
    /// is waited for.
    ///
    /// # Errors
    /// When the database is away for longer than the invocation lasts, or refuses for good.
    pub(crate) async fn reconcile(
        &self,
        hints: Vec<Hint>,
        deadline: Instant,
    ) -> Result<Report, db::Error> {
        let client_for = |registry: &Registry| self.client_for(registry, deadline);
        let writer = Writer { instance: None, kind_naming: self.settings.kind_naming };
        let (deletions, formats) = (Deletions::Believed, self.formats.as_ref());
        let terms = Terms { writer, concurrency: CONCURRENCY, deadline, deletions, formats };
        let attempt = || reconcile(&self.database, client_for, hints.clone(), terms).boxed_local();
        let outcome = self.patiently(deadline, attempt).await;
        if let Ok(report) = &outcome {
            self.measure(report);
        }
        outcome
    }

    /// Tries again what the database may do a moment later, for as long as there is time.
    pub(crate) async fn patiently<T, F>(
        &self,
        deadline: Instant,
        attempt: impl Fn() -> F,
    ) -> Result<T, db::Error>
    where
        F: Future<Output = Result<T, db::Error>>,
    {
        let mut longest = PAUSE;
        loop {
            match attempt().await {
                Err(error) if error.is_worth_waiting_for() => {
                    // Many functions that wait for one database must not come back all at once.
                    let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
                    if Instant::now() + pause + ATTEMPT_TIME >= deadline {
                        return Err(error);
                    }
                    warn!(error = %shared::telemetry::Causes(&error), "trying the database again");
                    sleep(pause).await;
                    longest = (longest * 2).min(PAUSE_MAX);
                }
                other => return other,
            }
        }
    }

    fn client_for(&self, registry: &Registry, deadline: Instant) -> Result<Client, oci::Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(registry) {
            return Ok(client.until(deadline));
        }
        let base =
            self.settings.registry_endpoint.as_ref().unwrap_or(registry.domain_name().address());
        let login = match registry.domain_name().address().ecr() {
            Some((_, region)) => {
                let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
                let login =
                    logins.entry(region.clone()).or_insert_with(|| Arc::new(EcrLogin::new(region)));
                Login::Ecr(Arc::clone(login))
            }
            None => Login::Anonymous,
        };
        let client = self.connections.client(base.clone(), login, CONCURRENCY)?;
        clients.insert(registry.clone(), client.clone());
        Ok(client.until(deadline))
    }
}

impl<'a> From<&'a SqsMessage> for Event<'a> {
    fn from(message: &'a SqsMessage) -> Self {
        Self {
            message_id: message.message_id.as_deref(),
            body: message.body.as_deref().unwrap_or_default(),
        }
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

    fn regions(&self) -> HashSet<Region> {
        let region = |hint: &Hint| {
            hint.subject.registry.domain_name().address().ecr().map(|(_, region)| region)
        };
        self.hints.iter().filter_map(|(_, hint)| region(hint)).collect()
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
