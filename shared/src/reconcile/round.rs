//! One round: looks at all that is pending, and writes what follows.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::contents::{Opened, Opening, TaggedChart, Taken};
use super::observe::{Look, Seen, SeenChart, look};
use super::pending::Pending;
use super::report::{Error, Report};
use super::{ClientFor, Deletions, Terms, diff};
use crate::db::{self, Database, Population, StoredState};
use crate::domain::{ChartContents, Observation, Reference, Resolution, Subject, TagFormats};
use crate::oci;

/// Time kept back for writing what was seen.
pub const WRITE_TIME: Duration = Duration::from_millis(500);

/// Contents of charts that are held before they are written, in bytes. A hundred usual charts stay
/// below it, and charts of some megabytes each do not add up.
const HELD_MAX: usize = 4 * 1024 * 1024;

/// One look at all that is pending.
pub(super) struct Round<'a> {
    database: &'a Database,
    terms: Terms<'a>,
    formats: Option<Arc<TagFormats>>,
    pending: &'a Pending,
    observed_at: OffsetDateTime,
    look_until: Instant,
    /// What was seen and is not written yet, and how much memory its contents take.
    observations: Vec<Observation>,
    held: usize,
    /// Whether a large chart is among them, for which others wait.
    taken: Taken,
    /// The answers that denied a whole repository.
    denials: HashMap<Subject, oci::Error>,
    /// What must be asked again.
    again: Vec<Subject>,
    report: &'a mut Report,
}

/// What comes next in a round.
enum Step {
    Looked(Vec<Look>),
    Opened(Opened),
}

impl<'a> Round<'a> {
    /// Reads the clock of the database before anything is asked.
    pub(super) async fn begin(
        database: &'a Database,
        terms: Terms<'a>,
        pending: &'a Pending,
        report: &'a mut Report,
    ) -> Result<Self, db::Error> {
        let (observed_at, formats) = match terms.formats {
            Some(known) => {
                known.at_now(database).await.map(|(now, formats)| (now, Some(formats)))?
            }
            None => (database.now().await?, None),
        };
        Ok(Self {
            database,
            terms,
            formats,
            pending,
            observed_at,
            look_until: terms.deadline.checked_sub(WRITE_TIME).unwrap_or(terms.deadline),
            observations: Vec::new(),
            held: 0,
            taken: None,
            denials: HashMap::new(),
            again: Vec::new(),
            report,
        })
    }

    /// Gives what must be asked again.
    pub(super) async fn run(
        mut self,
        client_for: impl ClientFor,
    ) -> Result<Vec<Subject>, db::Error> {
        let mut looks = pin!(look(&client_for, self.pending, self.terms.concurrency).fuse());
        let mut opening = Opening::new(&client_for);
        let mut left: HashSet<&Subject> = self.pending.subjects().collect();
        loop {
            // What has been begun goes first: interrupted, it is begun anew.
            let step = async {
                tokio::select! {
                    biased;
                    Some(opened) = opening.next() => Some(Step::Opened(opened)),
                    Some(looks) = looks.next() => Some(Step::Looked(looks)),
                    else => None,
                }
            };
            match timeout_at(self.look_until, step).await {
                Ok(Some(Step::Opened(opened))) => self.take_opened(opened),
                Ok(Some(Step::Looked(looks))) => {
                    for (subject, _) in &looks {
                        left.remove(subject);
                    }
                    let charts = self.take_looks(looks);
                    self.open(charts, &mut opening).await?;
                }
                Ok(None) | Err(_) => break,
            }
            if self.held >= HELD_MAX || self.taken.is_some() {
                self.write().await?;
                opening.forget();
            }
        }
        for subject in left.into_iter().chain(opening.unopened()) {
            self.report.leave(self.pending, subject);
        }
        self.write().await?;
        Ok(self.again)
    }

    /// Counts what was seen. What is no chart is an observation already; so is a chart that was
    /// asked for by its digest, because rows are of tags. Gives the other charts.
    fn take_looks(&mut self, looks: Vec<Look>) -> Vec<TaggedChart> {
        let mut charts = Vec::new();
        for (subject, seen) in looks {
            self.report.lookups += 1;
            let resolution = match seen {
                Ok(Seen::Chart(chart)) if matches!(subject.reference, Reference::Tag(_)) => {
                    self.report.set_absent(self.pending, &subject, false);
                    charts.push((subject, chart));
                    continue;
                }
                Ok(Seen::Chart(SeenChart { digest, created_at, .. })) => {
                    Resolution::Chart { digest, created_at, contents: ChartContents::Stored }
                }
                Ok(Seen::NotAChart { digest, .. }) => {
                    self.report.not_charts += 1;
                    Resolution::NotAChart { digest }
                }
                Ok(Seen::Absent) => Resolution::Absent,
                Err(error) if self.holds_back() && error.is_name_unknown() => {
                    self.denials.insert(subject.clone(), error);
                    Resolution::NoRepository
                }
                Err(source) => {
                    self.report.fail(
                        self.pending,
                        [&subject],
                        Error::Lookup { subject: subject.clone(), source },
                    );
                    continue;
                }
            };
            self.report.set_absent(self.pending, &subject, resolution.digest().is_none());
            self.observations.push(Observation {
                subject,
                observed_at: self.observed_at,
                resolution,
            });
        }
        charts
    }

    /// Begins to open the charts whose contents no row has.
    async fn open<C: ClientFor>(
        &mut self,
        charts: Vec<TaggedChart>,
        opening: &mut Opening<'_, C>,
    ) -> Result<(), db::Error> {
        let known =
            self.database.known_contents(charts.iter().map(|(_, chart)| &chart.digest)).await?;
        for (subject, chart) in charts {
            let is_requested = self.pending.is_requested(&subject);
            let wrap = match known.get(chart.digest.as_str()) {
                _ if is_requested => ChartContents::Requested,
                None => ChartContents::New,
                Some(known) if known.is_missing_somewhere => ChartContents::Refreshed,
                Some(_) => {
                    self.observe((subject, chart), ChartContents::Stored);
                    continue;
                }
            };
            if let Some((chart, contents)) = opening.begin((subject, chart), is_requested, wrap) {
                self.observe(chart, contents);
            }
        }
        Ok(())
    }

    fn take_opened(&mut self, opened: Opened) {
        let Opened { tags, contents, taken } = opened;
        self.taken = taken;
        match contents {
            Ok(contents) => {
                self.held += contents.read().map_or(0, |contents| contents.size());
                for chart in tags {
                    self.observe(chart, contents.clone());
                }
            }
            Err(source) => {
                let Some((first, _)) = tags.first() else { return };
                // Another repository may have what this one has not.
                let (failed, others): (Vec<&TaggedChart>, Vec<&TaggedChart>) =
                    tags.iter().partition(|(subject, _)| subject.repository == first.repository);
                self.again.extend(others.into_iter().map(|(subject, _)| subject.clone()));
                if source.is_about_content() {
                    let unopened = |(subject, chart): &&TaggedChart| Observation {
                        subject: subject.clone(),
                        observed_at: self.observed_at,
                        resolution: Resolution::Unopened { digest: chart.digest.clone() },
                    };
                    self.observations.extend(failed.iter().map(unopened));
                }
                let subjects = failed.iter().map(|(subject, _)| subject);
                self.report.fail(
                    self.pending,
                    subjects,
                    Error::Lookup { subject: first.clone(), source },
                );
            }
        }
    }

    fn observe(&mut self, (subject, chart): TaggedChart, contents: ChartContents) {
        let created_at = self.pending.pushed_at(&subject, &chart.digest).or(chart.created_at);
        let resolution = Resolution::Chart { digest: chart.digest, created_at, contents };
        self.observations.push(Observation { subject, observed_at: self.observed_at, resolution });
    }

    /// The second and the third step.
    async fn write(&mut self) -> Result<(), db::Error> {
        let observations = std::mem::take(&mut self.observations);
        self.held = 0;
        // Let go of when all this is over.
        let _taken = self.taken.take();
        let Terms { writer, deletions, .. } = self.terms;
        let stored = self.database.load(&worth_loading(&observations)).await?;
        // Of a chart that cannot be opened there is only something to write where another one had
        // its tag.
        let had_another = |seen: &Observation| {
            let Resolution::Unopened { digest } = &seen.resolution else { return true };
            let known = stored.observations.get(&seen.subject).filter(|known| known.is_available);
            known.is_some_and(|known| known.digest.as_deref() != Some(digest.as_str()))
        };
        let observations: Vec<Observation> = observations.into_iter().filter(had_another).collect();
        let population = self.population(&stored, &observations).await?;
        let plan = diff(&stored, population, observations, deletions);
        for subject in &plan.superseded {
            debug!(reference = %subject, "somebody looked later");
        }
        let applied = self.database.apply(&plan.apply, writer, self.formats.as_deref()).await?;
        self.report.take_changes(&applied);
        if let Some(instance) = writer.instance {
            let generation = self.database.hold(&plan.hold, self.observed_at, instance).await?;
            self.report.generation = generation.or(self.report.generation);
        }
        self.report.held += plan.hold.len() as u64 + plan.waiting;
        for subject in plan.denied {
            if let Some(source) = self.denials.remove(&subject) {
                self.report.fail(
                    self.pending,
                    [&subject],
                    Error::Lookup { subject: subject.clone(), source },
                );
            }
        }
        for (subject, source) in applied.rejected {
            self.report.fail(
                self.pending,
                [&subject],
                Error::Rejected { subject: subject.clone(), source },
            );
        }
        self.again.extend(plan.ask_again.into_iter().chain(applied.ask_again));
        Ok(())
    }

    fn holds_back(&self) -> bool {
        matches!(self.terms.deletions, Deletions::HeldBack { .. })
    }

    /// How many charts there are, where that decides whether some of them are held back.
    async fn population(
        &self,
        stored: &StoredState,
        observations: &[Observation],
    ) -> Result<Population, db::Error> {
        let gone = observations.iter().find(|observation| {
            observation.resolution == Resolution::Absent
                && stored
                    .observations
                    .get(&observation.subject)
                    .is_some_and(|known| known.is_available)
        });
        match gone {
            Some(gone) if self.holds_back() => {
                self.database.population(&gone.subject.registry).await
            }
            _ => Ok(Population::default()),
        }
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
