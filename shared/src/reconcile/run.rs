//! The three steps in a row, for a batch of hints, until nothing in it has to be asked again.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use indexmap::IndexMap;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info};

use super::{Deletions, Hint, Push, Terms, diff, observe};
use crate::db::{self, Applied, Database, Population, Stored};
use crate::domain::{Observation, Provider, Reference, Registry, Resolution, Subject};
use crate::oci;

/// Rounds after which a reference that keeps changing is given up. Each is a new look at the registry, so a second one
/// is rare and a third needs a tag that is deleted and pushed in a tight loop.
const ROUNDS: usize = 5;

/// Time kept back for writing what was seen.
pub const WRITE_TIME: Duration = Duration::from_millis(500);

/// Why one hint came to nothing. It is safe to give the same hint again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry did not tell.
    #[error("cannot look up {subject}")]
    Lookup {
        /// What was looked at.
        subject: Subject,
        /// The registry's answer.
        source: oci::Error,
    },
    /// The database refuses what the registry told.
    #[error("cannot store {subject}")]
    Rejected {
        /// What was looked at.
        subject: Subject,
        /// The database's answer.
        source: db::Error,
    },
    /// The invocation's time was over before the registry had answered.
    #[error("there was no time to look up {subject}")]
    Unfinished {
        /// What was to be looked at.
        subject: Subject,
    },
    /// The registry told something else each time.
    #[error("{subject} kept changing while it was looked at")]
    Unsettled {
        /// What was looked at.
        subject: Subject,
    },
}

/// What became of a batch of hints.
#[derive(Debug)]
pub struct Report {
    /// One outcome per hint, in the hints' order. A hint that changed nothing is done all the same.
    pub outcomes: Vec<Result<(), Arc<Error>>>,
    /// How often the registry was asked.
    pub lookups: u64,
    /// How many references turned out to be something other than a chart.
    pub not_charts: u64,
    /// How many references there was no time for.
    pub unfinished: u64,
    /// Chart rows that became available.
    pub added: u64,
    /// Chart rows that became unavailable.
    pub unavailable: u64,
    /// Tags that are missing and not believed to be deleted yet.
    pub held: u64,
    /// The hints, by their position, whose reference turned out to be absent.
    pub absent: HashSet<usize>,
    /// The generation of the instance that wrote, if rows were written.
    pub generation: Option<i64>,
}

/// A subject still to be looked at: on behalf of which hints, and which pushes may date it.
#[derive(Default)]
struct Work {
    hints: Vec<usize>,
    pushes: Vec<Push>,
}

/// In the order of the hints, which is the order of looking.
type Pending = IndexMap<Subject, Work>;

/// Looks at what the hints name and writes what follows. Safe to repeat and safe beside any number of others doing the
/// same. Shortly before the deadline it stops looking and writes what it has seen.
///
/// # Errors
/// When the database cannot be read or written. Some of the batch may have been written then.
pub async fn reconcile(
    database: &Database,
    client_for: impl Fn(&Registry) -> Result<oci::Client, oci::Error>,
    hints: Vec<Hint>,
    terms: Terms<'_>,
) -> Result<Report, db::Error> {
    let Terms { writer, concurrency, deadline, deletions } = terms;
    let look_until = deadline.checked_sub(WRITE_TIME).unwrap_or(deadline);
    let mut report = Report::of(hints.len());
    let mut pending = Pending::new();
    for (index, hint) in hints.into_iter().enumerate() {
        let work = pending.entry(hint.subject).or_default();
        work.hints.push(index);
        work.pushes.extend(hint.push);
    }
    for _ in 0..ROUNDS {
        if pending.is_empty() {
            break;
        }
        let observed_at = database.now().await?;
        let looks = look(&client_for, &pending, concurrency, look_until).await;
        let (observations, mut denials) = report.take_looks(looks, &pending, observed_at, deletions);

        let stored = database.load(&worth_loading(&observations)).await?;
        let population = population(database, &stored, &observations, deletions).await?;
        let plan = diff(&stored, population, observations, deletions);
        for subject in &plan.superseded {
            debug!(reference = %subject, "somebody looked later");
        }
        let applied = database.apply(&plan.apply, writer).await?;
        report.take_changes(&applied);
        if let Some(instance) = writer.instance {
            let generation = database.hold(&plan.hold, observed_at, instance).await?;
            report.generation = generation.or(report.generation);
        }
        report.held += plan.hold.len() as u64 + plan.waiting;
        for subject in plan.denied {
            if let Some(source) = denials.remove(&subject) {
                report.fail(&pending, Error::Lookup { subject, source });
            }
        }
        for (subject, source) in applied.rejected {
            report.fail(&pending, Error::Rejected { subject, source });
        }
        let again = plan.ask_again.into_iter().chain(applied.ask_again).collect();
        pending = next_round(database, pending, again).await?;
    }
    for subject in pending.keys().cloned() {
        report.fail(&pending, Error::Unsettled { subject });
    }
    Ok(report)
}

type Look = (Subject, Result<Resolution, oci::Error>);

/// The looks that are done in time.
async fn look(
    client_for: impl Fn(&Registry) -> Result<oci::Client, oci::Error>,
    pending: &Pending,
    concurrency: usize,
    until: Instant,
) -> Vec<Look> {
    let looks = pending.keys().map(|subject| {
        let client = client_for(&subject.registry);
        async move {
            let resolution = match client {
                // One look that panics is one look that failed.
                Ok(client) => AssertUnwindSafe(observe(&client, subject)).catch_unwind().await,
                Err(error) => Ok(Err(error)),
            };
            (subject.clone(), resolution.unwrap_or(Err(oci::Error::Panicked)))
        }
    });
    let mut looks = pin!(stream::iter(looks).buffer_unordered(concurrency.max(1)));
    let mut done = Vec::with_capacity(pending.len());
    while let Ok(Some(look)) = timeout_at(until, looks.next()).await {
        done.push(look);
    }
    done
}

/// How many charts there are, where that decides whether some of them are held back.
async fn population(
    database: &Database,
    stored: &Stored,
    observations: &[Observation],
    deletions: Deletions,
) -> Result<Population, db::Error> {
    let gone = observations.iter().find(|observation| {
        observation.resolution == Resolution::Absent
            && stored.observations.get(&observation.subject).is_some_and(|known| known.is_available)
    });
    match (deletions, gone) {
        (Deletions::HeldBack { .. }, Some(gone)) => database.population(&gone.subject.registry).await,
        _ => Ok(Population::default()),
    }
}

/// The subjects whose stored state the diff needs: those observed, and the digests they resolve to.
fn worth_loading(observations: &[Observation]) -> Vec<Subject> {
    let observed = observations.iter().map(|observation| observation.subject.clone());
    let resolved = observations.iter().filter_map(|observation| {
        let digest = observation.resolution.digest()?.clone();
        Some(Subject { reference: Reference::Digest(digest), ..observation.subject.clone() })
    });
    let unique: HashSet<Subject> = observed.chain(resolved).collect();
    unique.into_iter().collect()
}

/// What is left to look at: what must be asked again, and the tags of the digests that were asked for. That the digest
/// was looked at is committed by now: whoever writes a row that is not found here yet will find it there.
async fn next_round(database: &Database, mut pending: Pending, again: Vec<Subject>) -> Result<Pending, db::Error> {
    let mut next = Pending::new();
    for subject in again {
        if let Some(work) = pending.swap_remove(&subject) {
            next.insert(subject, work);
        }
    }
    let digests = pending.keys().filter(|subject| matches!(subject.reference, Reference::Digest(_)));
    for (digest, tag) in database.tags_with_digest(digests).await? {
        let hints = pending.get(&digest).map(|work| work.hints.clone()).unwrap_or_default();
        next.entry(tag).or_default().hints.extend(hints);
    }
    Ok(next)
}

impl Report {
    fn of(hints: usize) -> Self {
        let outcomes = (0..hints).map(|_| Ok(())).collect();
        Self {
            outcomes,
            lookups: 0,
            not_charts: 0,
            unfinished: 0,
            added: 0,
            unavailable: 0,
            held: 0,
            absent: HashSet::new(),
            generation: None,
        }
    }

    /// Keeps the faults and gives the observations; with them the answers that denied a whole repository.
    fn take_looks(
        &mut self,
        looks: Vec<Look>,
        pending: &Pending,
        observed_at: OffsetDateTime,
        deletions: Deletions,
    ) -> (Vec<Observation>, HashMap<Subject, oci::Error>) {
        let done: HashSet<&Subject> = looks.iter().map(|(subject, _)| subject).collect();
        let unfinished: Vec<Subject> = pending.keys().filter(|subject| !done.contains(subject)).cloned().collect();
        for subject in unfinished {
            self.unfinished += 1;
            self.fail(pending, Error::Unfinished { subject });
        }
        let mut observations = Vec::with_capacity(looks.len());
        let mut denials = HashMap::new();
        for (subject, resolution) in looks {
            self.lookups += 1;
            let resolution = match (resolution, deletions) {
                (Err(error), Deletions::HeldBack { .. }) if error.is_name_unknown() => {
                    denials.insert(subject.clone(), error);
                    Ok(Resolution::NoRepository)
                }
                (other, _) => other,
            };
            match resolution {
                Ok(mut resolution) => {
                    for hint in pending.get(&subject).into_iter().flat_map(|work| &work.hints) {
                        // In a later round it may be there again.
                        if resolution.digest().is_none() {
                            self.absent.insert(*hint)
                        } else {
                            self.absent.remove(hint)
                        };
                    }
                    self.not_charts += u64::from(matches!(resolution, Resolution::NotAChart { .. }));
                    if let Some(work) = pending.get(&subject) {
                        date_by_push(&mut resolution, subject.registry.provider(), &work.pushes);
                    }
                    observations.push(Observation { subject, observed_at, resolution });
                }
                Err(source) => self.fail(pending, Error::Lookup { subject, source }),
            }
        }
        (observations, denials)
    }

    fn take_changes(&mut self, applied: &Applied) {
        self.added += applied.available.len() as u64;
        self.unavailable += applied.unavailable.len() as u64;
        self.generation = applied.generation.or(self.generation);
        for (subjects, outcome) in
            [(&applied.available, "chart available"), (&applied.unavailable, "chart no longer available")]
        {
            for Subject { registry, repository, reference } in subjects {
                info!(registry = registry.host(), %repository, tag = %reference, "{outcome}");
            }
        }
    }

    /// Notes a fault for every hint that led to its subject.
    fn fail(&mut self, pending: &Pending, error: Error) {
        let error = Arc::new(error);
        for hint in pending.get(error.subject()).into_iter().flat_map(|work| &work.hints) {
            if let Some(outcome) = self.outcomes.get_mut(*hint) {
                *outcome = Err(Arc::clone(&error));
            }
        }
    }
}

impl Error {
    /// Whether giving the hint again will bring the same: the artifact is past a limit.
    #[must_use]
    pub fn is_beyond_limits(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_beyond_limits())
    }

    /// Whether the registry is to be left alone for the rest of the invocation.
    #[must_use]
    pub fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_asked_to_wait())
    }

    fn subject(&self) -> &Subject {
        match self {
            Self::Lookup { subject, .. }
            | Self::Rejected { subject, .. }
            | Self::Unfinished { subject }
            | Self::Unsettled { subject } => subject,
        }
    }
}

/// In ECR a chart is as old as its push. Of several pushes of one digest the first one counts; where no push is known,
/// what the chart says of itself is the best guess.
fn date_by_push(resolution: &mut Resolution, provider: Provider, pushes: &[Push]) {
    if let (Resolution::Chart { digest, created_at }, Provider::Ecr) = (resolution, provider) {
        let of_this_digest = pushes.iter().filter(|push| push.digest == *digest);
        *created_at = of_this_digest.map(|push| push.pushed_at).min().or(*created_at);
    }
}
