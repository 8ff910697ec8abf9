//! One round of the four steps: observe, read, diff, apply. It looks at everything that is pending,
//! reads the charts that no row has, and writes from time to time.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::contents::{FinishedRead, LargeChartPermit, ReadReason, Reads, TaggedChart};
use super::observe::{FinishedLook, LookAnswer, UnconfirmedAbsence, UnreadChart, look};
use super::pending::Pending;
use super::report::{Error, Report};
use super::write::ObservationWriting;
use super::{ClientFor, Listing, ReconcileOptions};
use crate::db::{self, Database, StoredContents};
use crate::domain::{
    ChartContents, Observation, PastTime, Reference, Resolution, Subject, TagFormats,
};
use crate::oci;
use crate::telemetry::Causes;

/// Time reserved before the deadline for writing the observations.
pub const WRITE_TIME: Duration = Duration::from_millis(500);

/// Size of unwritten contents at which a round writes, in bytes. A hundred usual charts stay below
/// it. Charts of some megabytes each are written one by one, so that they do not fill the memory.
const UNWRITTEN_LIMIT: usize = 4 * 1024 * 1024;

/// One round over everything that is pending.
pub(super) struct Round<'a> {
    database: &'a Database,
    options: ReconcileOptions<'a>,
    formats: Option<Arc<TagFormats>>,
    pending: &'a Pending,
    observed_at: OffsetDateTime,
    look_until: Instant,
    /// Observations that are not written yet.
    observations: Vec<Observation>,
    /// The size of the contents in `observations`, in bytes.
    unwritten: usize,
    /// Held while a large chart is in `observations`.
    large_chart: Option<LargeChartPermit>,
    /// The errors of subjects whose whole repository the registry denies.
    denials: HashMap<Subject, oci::Error>,
    /// Subjects that the next round looks at again.
    again: Vec<Subject>,
    report: &'a mut Report,
}

/// A part of a round that has ended.
enum Completed {
    Looks(Vec<FinishedLook>),
    Read(FinishedRead),
}

impl<'a> Round<'a> {
    /// Begins a round. Reads the database's clock, because observations carry the time before the
    /// registry was asked.
    pub(super) async fn begin(
        database: &'a Database,
        options: ReconcileOptions<'a>,
        pending: &'a Pending,
        report: &'a mut Report,
    ) -> Result<Self, db::Error> {
        let (observed_at, formats) = match options.formats {
            Some(known) => {
                let (now, formats) = known.at_now(database).await?;
                (now, Some(formats))
            }
            None => (database.now().await?, None),
        };
        Ok(Self {
            database,
            options,
            formats,
            pending,
            observed_at,
            look_until: options.deadline.checked_sub(WRITE_TIME).unwrap_or(options.deadline),
            observations: Vec::new(),
            unwritten: 0,
            large_chart: None,
            denials: HashMap::new(),
            again: Vec::new(),
            report,
        })
    }

    /// Runs the four steps. Returns the subjects that must be looked at again.
    pub(super) async fn run(
        mut self,
        client_for: impl ClientFor,
    ) -> Result<Vec<Subject>, db::Error> {
        let mut looks = pin!(look(&client_for, self.pending, self.options.concurrency).fuse());
        let mut reads = Reads::new(&client_for);
        let mut left: HashSet<&Subject> = self.pending.subjects().collect();
        loop {
            // Reads come first, because a read that the deadline interrupts starts over.
            let next = async {
                tokio::select! {
                    biased;
                    Some(read) = reads.next() => Some(Completed::Read(read)),
                    Some(looks) = looks.next() => Some(Completed::Looks(looks)),
                    else => None,
                }
            };
            match timeout_at(self.look_until, next).await {
                Ok(Some(Completed::Read(read))) => self.take_read(read),
                Ok(Some(Completed::Looks(looks))) => {
                    for look in &looks {
                        left.remove(&look.subject);
                    }
                    let charts = self.take_looks(looks);
                    self.start_reads(charts, &mut reads).await?;
                }
                Ok(None) | Err(_) => break,
            }
            if self.unwritten >= UNWRITTEN_LIMIT || self.large_chart.is_some() {
                self.write().await?;
                reads.forget();
            }
        }
        for subject in left.into_iter().chain(reads.unfinished()) {
            self.report.leave(self.pending, subject);
        }
        self.write().await?;
        Ok(self.again)
    }

    /// Counts the looks and turns them into observations. Returns the charts whose contents may
    /// have to be read. A chart that was looked at by its digest is not among them, because only
    /// tags have rows.
    fn take_looks(&mut self, looks: Vec<FinishedLook>) -> Vec<TaggedChart> {
        let mut charts = Vec::new();
        for FinishedLook { subject, answer } in looks {
            self.report.lookups += 1;
            self.note_invisible(&subject, &answer);
            let resolution = match answer {
                Ok(LookAnswer::Chart(chart)) if matches!(subject.reference, Reference::Tag(_)) => {
                    self.report.set_absent(self.pending, &subject, false);
                    charts.push(TaggedChart { subject, chart });
                    continue;
                }
                // No row is made from a digest, so its age does not matter.
                Ok(LookAnswer::Chart(UnreadChart { digest, .. })) => {
                    Resolution::Chart { digest, created_at: None, contents: ChartContents::Stored }
                }
                Ok(LookAnswer::NotAChart { digest, is_incomplete, .. }) => {
                    self.report.not_charts += 1;
                    if is_incomplete {
                        Resolution::IncompleteIndex
                    } else {
                        Resolution::NotAChart { digest }
                    }
                }
                Ok(LookAnswer::Absent | LookAnswer::Unconfirmed(_))
                    if self.pending.awaits_push(&subject) =>
                {
                    self.report.fail_invisible(self.pending, &subject);
                    continue;
                }
                Ok(LookAnswer::Absent | LookAnswer::Unconfirmed(_))
                    if self.pending.listing(&subject) == Listing::Denied =>
                {
                    Resolution::NoRepository
                }
                Ok(LookAnswer::Absent) => Resolution::Absent,
                Ok(LookAnswer::Unconfirmed(absence)) => self.unconfirmed(&subject, &absence),
                Ok(LookAnswer::Denied(error)) => {
                    self.denials.insert(subject.clone(), error);
                    Resolution::NoRepository
                }
                Err(source) => {
                    let is_beyond_limits = source.is_beyond_limits();
                    self.fail_lookup(&subject, source);
                    if is_beyond_limits {
                        self.add_observation(subject, Resolution::BeyondLimits);
                    }
                    continue;
                }
            };
            self.report.set_absent(self.pending, &subject, resolution.digest().is_none());
            self.add_observation(subject, resolution);
        }
        charts
    }

    /// Fails the hints of a push if the registry shows what the subject resolved to before it. What
    /// was found is written nevertheless, because the tag may have moved on.
    fn note_invisible(&mut self, subject: &Subject, answer: &Result<LookAnswer, oci::Error>) {
        let digest = answer.as_ref().ok().and_then(LookAnswer::digest);
        if digest.is_some_and(|digest| self.pending.awaits_other_than(subject, digest)) {
            self.report.fail_invisible(self.pending, subject);
        }
    }

    /// Returns what follows from a 404 that does not say that the manifest is unknown.
    fn unconfirmed(&self, subject: &Subject, absence: &UnconfirmedAbsence) -> Resolution {
        let error = Causes(absence.error());
        debug!(reference = %subject, %error, "the absence is not confirmed");
        let is_believable = match absence {
            UnconfirmedAbsence::OfReference(_) => {
                self.pending.listing(subject) == Listing::Unlisted
            }
            // No list shows the manifests in an index.
            UnconfirmedAbsence::InIndex(_) => true,
        };
        Resolution::UnconfirmedAbsence { is_believable }
    }

    /// Starts to read the charts whose contents no row has. The others become observations at once.
    async fn start_reads<C: ClientFor>(
        &mut self,
        charts: Vec<TaggedChart>,
        reads: &mut Reads<'_, C>,
    ) -> Result<(), db::Error> {
        let digests = charts.iter().map(|tagged| &tagged.chart.digest);
        let known = self.database.known_contents(digests).await?;
        for tagged in charts {
            let reason = match known.get(tagged.chart.digest.as_str()) {
                _ if self.pending.is_requested(&tagged.subject) => ReadReason::Requested,
                None => ReadReason::New,
                Some(StoredContents::Missing) => ReadReason::Refreshed,
                Some(StoredContents::Outdated) if self.pending.renews_contents(&tagged.subject) => {
                    ReadReason::Renewed
                }
                Some(StoredContents::Outdated | StoredContents::Current) => {
                    self.add_chart(tagged, ChartContents::Stored);
                    continue;
                }
            };
            if let Some(contents) = reads.start(&tagged, reason) {
                self.add_chart(tagged, contents);
            }
        }
        Ok(())
    }

    fn take_read(&mut self, read: FinishedRead) {
        let FinishedRead { tags, reason, contents, permit } = read;
        self.large_chart = permit;
        match contents {
            Ok(contents) => {
                self.unwritten += contents.contents().map_or(0, |contents| contents.size());
                for tagged in tags {
                    self.add_chart(tagged, contents.clone());
                }
            }
            // The stored contents are as good as before.
            Err(source) if reason == ReadReason::Renewed && !source.is_asked_to_wait() => {
                let error = Causes(&source);
                debug!(%error, "outdated contents are not read again");
                for tagged in tags {
                    self.add_chart(tagged, ChartContents::Stored);
                }
            }
            Err(source) => self.take_failed_read(tags, source),
        }
    }

    /// Reports a failed read for the tags of the repository that was asked. Tags of other
    /// repositories are looked at again, because those may have what this one lacks.
    fn take_failed_read(&mut self, tags: Vec<TaggedChart>, source: oci::Error) {
        let Some(first) = tags.first().map(|tagged| tagged.subject.clone()) else { return };
        let (failed, others): (Vec<TaggedChart>, Vec<TaggedChart>) =
            tags.into_iter().partition(|tagged| tagged.subject.repository == first.repository);
        self.again.extend(others.into_iter().map(|tagged| tagged.subject));
        // The tag resolves to this chart, whatever the reason is for which it cannot be read. A row
        // of another digest is therefore out of date.
        let retires_others = !source.is_asked_to_wait();
        let subjects = failed.iter().map(|tagged| &tagged.subject);
        self.report.fail(self.pending, subjects, Error::Lookup { subject: first, source });
        if retires_others {
            for TaggedChart { subject, chart } in failed {
                self.add_observation(subject, Resolution::Unopened { digest: chart.digest });
            }
        }
    }

    fn add_chart(&mut self, tagged: TaggedChart, contents: ChartContents) {
        let created_at = self.created_at(&tagged);
        let TaggedChart { subject, chart: UnreadChart { digest, .. } } = tagged;
        self.add_observation(subject, Resolution::Chart { digest, created_at, contents });
    }

    /// Returns when a chart was pushed, or else when it was made.
    fn created_at(&self, TaggedChart { subject, chart }: &TaggedChart) -> Option<PastTime> {
        let past = |time| PastTime::new(time, self.observed_at);
        let mut pushes = self.pending.pushed_at(subject, &chart.digest).peekable();
        match pushes.peek() {
            Some(_) => pushes.filter_map(past).min(),
            None => chart.created_at.and_then(past),
        }
    }

    fn add_observation(&mut self, subject: Subject, resolution: Resolution) {
        let observed_at = self.observed_at;
        let is_requested = self.pending.is_requested(&subject);
        self.observations.push(Observation { subject, observed_at, resolution, is_requested });
    }

    /// Runs the steps diff and apply on the observations so far.
    async fn write(&mut self) -> Result<(), db::Error> {
        let observations = std::mem::take(&mut self.observations);
        self.unwritten = 0;
        // Released on return, because the contents stay in memory until then.
        let _permit = self.large_chart.take();
        let writing = ObservationWriting {
            database: self.database,
            options: self.options,
            formats: self.formats.as_deref(),
            observed_at: self.observed_at,
        };
        let outcome = writing.write(observations, self.report).await?;
        for subject in &outcome.held {
            self.report.set_absent(self.pending, subject, true);
        }
        for subject in outcome.denied {
            if let Some(source) = self.denials.remove(&subject) {
                self.fail_lookup(&subject, source);
            }
        }
        for (subject, source) in outcome.rejected {
            let error = Error::Rejected { subject: subject.clone(), source };
            self.report.fail(self.pending, [&subject], error);
        }
        self.again.extend(outcome.ask_again);
        Ok(())
    }

    fn fail_lookup(&mut self, subject: &Subject, source: oci::Error) {
        let error = Error::Lookup { subject: subject.clone(), source };
        self.report.fail(self.pending, [subject], error);
    }
}
