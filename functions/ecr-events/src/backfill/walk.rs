//! Backfill and repair: goes over everything that ECR's own service lists, looks at what differs
//! from the rows, and at the rows that the service does not list. It imports a registry on day one,
//! and finds what EventBridge lost.
//!
//! It keeps its place in `discovery_instances.progress`: a run may take several invocations.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::aws::{EcrCatalog, Images, ListedTag};
use shared::db::{Stored, StoredObservation};
use shared::domain::{Account, Reference, Registry, Repository, Subject};
use shared::helm::is_helm_config;
use shared::metrics::Metric;
use shared::reconcile::{self, Hint, Push, Report};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::handler::Follower;
use crate::payload::Backfill;

/// References looked at and written together.
const BATCH: usize = 128;

/// Time left at which no further repository is begun.
const REPOSITORY_TIME: Duration = Duration::from_secs(2);

/// Time after which the place is kept, so that little is done again after a crash.
const KEEP_PLACE: Duration = Duration::from_secs(3);

/// A run that was interrupted longer ago than this is not gone on with: what it went over has
/// changed since.
const RUN_MAX: Duration = Duration::from_hours(24);

/// How soon after a run with errors the next one is due, where runs are not wanted at any time.
const AFTER_ERRORS: Duration = Duration::from_hours(1);

/// Time kept back for keeping the place.
const SAVE_TIME: Duration = Duration::from_millis(300);

/// The most errors that an answer carries.
const ERRORS_MAX: usize = 50;

/// What a backfill answers.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// The row in `discovery_instances`.
    instance: String,
    /// Repositories gone over.
    repositories: u64,
    /// Tags in them.
    tags: u64,
    /// References looked up.
    manifests: u64,
    /// Chart rows that became available.
    added: u64,
    /// Chart rows that became unavailable.
    unavailable: u64,
    /// Charts found to be broken.
    broken: u64,
    /// Names that cannot be, and references that turned out to be no charts.
    skipped: u64,
    /// What went wrong, each with the repository it went wrong in.
    errors: Vec<String>,
    /// Whether a run came to its end without an error: now, or so lately that nothing was due.
    complete: bool,
    #[serde(skip)]
    was_due: bool,
}

/// How far a run is. Times are the database's, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    began_at: i64,
    /// The repository that was done last.
    behind: Option<String>,
    /// Whether something went wrong in the run.
    has_failed: bool,
    /// When the last run began that came to its end without an error: events from before are made
    /// good.
    covered_until: Option<i64>,
    /// When the last run ended.
    ended_at: Option<i64>,
    /// Whether a run is under way.
    is_running: bool,
}

/// What a run works with.
struct Run<'a> {
    follower: &'a Follower,
    catalog: EcrCatalog,
    began_at: i64,
    deadline: Instant,
}

impl Follower {
    /// Goes on with the run that was interrupted, or begins one unless one was completed lately.
    ///
    /// # Errors
    /// When the database cannot be used, or ECR does not list its repositories.
    pub(crate) async fn backfill(
        &self,
        request: &Backfill,
        deadline: Instant,
    ) -> anyhow::Result<Summary> {
        let name = self.instance_name(&request.region);
        let (now, stored) =
            self.patiently(deadline, || self.database.progress(&name, &request.scope)).await?;
        let stored = stored.and_then(|stored| serde_json::from_value(stored).ok());
        let mut summary = Summary { instance: name.clone(), ..Summary::default() };
        let Some(mut progress) = Progress::begin(stored, request.unless_within, now) else {
            summary.complete = true;
            return Ok(summary);
        };
        summary.was_due = true;
        // Before the first run was complete everything is new.
        let is_repair = progress.covered_until.is_some();
        let source = request.region.to_string();
        let place = Place { name: &name, source: &source, scope: &request.scope };
        self.keep(&place, &progress).await?;
        let catalog = EcrCatalog::new(request.region.clone(), request.account.clone()).await;
        let stop_at = deadline.checked_sub(SAVE_TIME).unwrap_or(deadline);
        let run = Run { follower: self, catalog, began_at: progress.began_at, deadline: stop_at };
        let ended =
            timeout_at(stop_at, run.go_on(request, &mut progress, &mut summary, &place)).await;
        let is_done = ended.unwrap_or(Ok(false));
        if matches!(is_done, Ok(true)) {
            progress.end(now);
            summary.complete = !progress.has_failed;
            if progress.has_failed && summary.errors.is_empty() {
                summary.add_error(
                    "something went wrong in an earlier invocation of this run: see its log"
                        .to_owned(),
                );
            }
        } else {
            summary.add_error("the invocation's time was over: the next one goes on".to_owned());
        }
        if is_repair {
            Metric::RepairFound.count(self.measured_name(), summary.added + summary.unavailable);
        }
        // Whatever happened, what was done is done.
        self.keep(&place, &progress).await?;
        is_done?;
        let Summary { repositories, tags, manifests, added, unavailable, complete, .. } = summary;
        info!(
            instance = name,
            repositories, tags, manifests, added, unavailable, complete, "backfill ended"
        );
        Ok(summary)
    }

    async fn keep(&self, place: &Place<'_>, progress: &Progress) -> anyhow::Result<()> {
        let Place { name, source, scope } = place;
        Ok(self
            .database
            .set_progress(name, source, scope, &serde_json::to_value(progress)?)
            .await?)
    }
}

/// Where the progress of a run is kept.
struct Place<'a> {
    name: &'a str,
    source: &'a str,
    scope: &'a str,
}

impl Progress {
    /// The run to go on with, or a new one; `None` when one is not due yet by `unless_within`.
    fn begin(
        stored: Option<Self>,
        unless_within: Option<Duration>,
        now: OffsetDateTime,
    ) -> Option<Self> {
        let now = milliseconds(now);
        // A time to come is a clock that was wrong.
        let is_within = |since: Option<i64>, duration: Duration| {
            since.is_some_and(|since| {
                (0..i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
                    .contains(&(now - since))
            })
        };
        if let Some(running) = stored
            .clone()
            .filter(|stored| stored.is_running && is_within(Some(stored.began_at), RUN_MAX))
        {
            return Some(running);
        }
        let covered_until = stored.as_ref().and_then(|stored| stored.covered_until);
        if let (Some(within), Some(stored)) = (unless_within, stored) {
            let failed_lately =
                stored.has_failed && is_within(stored.ended_at, AFTER_ERRORS.min(within));
            if !stored.is_running && (is_within(covered_until, within) || failed_lately) {
                return None;
            }
        }
        Some(Self {
            began_at: now,
            behind: None,
            has_failed: false,
            covered_until,
            ended_at: None,
            is_running: true,
        })
    }

    fn end(&mut self, now: OffsetDateTime) {
        (self.is_running, self.ended_at) = (false, Some(milliseconds(now)));
        if !self.has_failed {
            self.covered_until = Some(self.began_at);
        }
    }
}

impl Run<'_> {
    /// Whether it came to its end.
    async fn go_on(
        &self,
        request: &Backfill,
        progress: &mut Progress,
        summary: &mut Summary,
        place: &Place<'_>,
    ) -> anyhow::Result<bool> {
        let (mut listed, skipped) = self.catalog.list_repositories().await?;
        summary.skipped += skipped;
        let mut accounts: BTreeSet<Account> =
            listed.iter().map(|(account, _)| account.clone()).collect();
        accounts.extend(request.account.clone());
        if accounts.is_empty() {
            accounts.insert(self.catalog.own_account().await?);
        }
        listed.retain(|(_, repository)| request.selection.has(repository));
        let behind = progress.behind.clone();
        let left = listed
            .iter()
            .filter(|(_, name)| behind.as_deref().is_none_or(|behind| name.as_str() > behind));
        let mut kept_at = Instant::now();
        for (account, repository) in left {
            let has_time = Instant::now() + REPOSITORY_TIME < self.deadline;
            if !has_time || !self.follow(account, repository, progress, summary).await? {
                return Ok(false);
            }
            progress.behind = Some(repository.to_string());
            if kept_at.elapsed() > KEEP_PLACE {
                self.follower.keep(place, progress).await?;
                kept_at = Instant::now();
            }
        }
        // Repositories whose rows are there and that are not listed: the listing is complete.
        let listed: HashSet<&Repository> =
            listed.iter().map(|(_, repository)| repository).collect();
        for account in accounts {
            let registry = Arc::new(Registry::ecr(&account, self.catalog.region())?);
            let database = &self.follower.database;
            let known = self
                .follower
                .patiently(self.deadline, || database.known_repositories(&registry))
                .await?;
            let gone = known
                .into_iter()
                .filter(|name| request.selection.has(name) && !listed.contains(name));
            for repository in gone {
                if !self.compare(&registry, &repository, Vec::new(), progress, summary).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Goes over one repository. Gives whether there was time for all of it.
    async fn follow(
        &self,
        account: &Account,
        repository: &Repository,
        progress: &mut Progress,
        summary: &mut Summary,
    ) -> anyhow::Result<bool> {
        summary.repositories += 1;
        let images = match self.catalog.list_images(account, repository).await {
            Ok(Images::Listed(images)) => images,
            Ok(Images::NoRepository) => Vec::new(),
            // One repository's fault is no reason to leave the others.
            Err(error) => {
                progress.has_failed = true;
                warn!(%repository, "{error}");
                summary.add_error(format!("{repository}: {error}"));
                return Ok(true);
            }
        };
        summary.tags += images.len() as u64;
        let registry = Arc::new(Registry::ecr(account, self.catalog.region())?);
        self.compare(&registry, repository, images, progress, summary).await
    }

    /// Looks at what differs between the complete list of a repository's tags and the rows.
    async fn compare(
        &self,
        registry: &Arc<Registry>,
        repository: &Repository,
        images: Vec<ListedTag>,
        progress: &mut Progress,
        summary: &mut Summary,
    ) -> anyhow::Result<bool> {
        let subject = |reference| Subject {
            registry: Arc::clone(registry),
            repository: repository.clone(),
            reference,
        };
        let database = &self.follower.database;
        let only = std::slice::from_ref(repository);
        let known =
            self.follower.patiently(self.deadline, || database.known_tags(registry, only)).await?;
        let listed: HashSet<&str> = images.iter().map(|image| image.tag.as_str()).collect();
        let missing = known.get(repository).into_iter().flatten();
        let missing =
            missing.filter(|(tag, known)| known.is_present && !listed.contains(tag.as_str()));
        let missing: Vec<Hint> =
            missing.map(|(tag, _)| Hint::at(subject(Reference::Tag(tag.clone())))).collect();

        let mut hints = Vec::new();
        for images in images.chunks(BATCH) {
            let subjects: Vec<Subject> =
                images.iter().map(|image| subject(Reference::Tag(image.tag.clone()))).collect();
            let stored =
                self.follower.patiently(self.deadline, || database.load(&subjects)).await?;
            for (image, subject) in images.iter().zip(subjects) {
                if self.is_worth_a_look(image, &subject, &stored) {
                    let push = image.digest.clone().zip(image.pushed_at);
                    let push = push.map(|(digest, pushed_at)| Push { digest, pushed_at });
                    hints.push(Hint { push, ..Hint::at(subject) });
                }
            }
        }
        hints.extend(missing);
        for batch in hints.chunks(BATCH) {
            let report = self.follower.reconcile(batch.to_vec(), self.deadline).await?;
            summary.add(&report);
            let errors = report.outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
            for error in
                errors.filter(|error| !matches!(***error, reconcile::Error::Unfinished { .. }))
            {
                if error.is_beyond_limits() {
                    summary.skipped += 1;
                    continue;
                }
                let error = anyhow::Error::new(Arc::clone(error));
                progress.has_failed = true;
                warn!(%repository, "{error:#}");
                summary.add_error(format!("{repository}: {error:#}"));
            }
            if report.unfinished > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a listed tag may differ from its row. Where the list does not tell, what was looked
    /// at in this run need not be again.
    fn is_worth_a_look(&self, image: &ListedTag, subject: &Subject, stored: &Stored) -> bool {
        let known = stored.observations.get(subject);
        let is_as_listed = |known: &StoredObservation| {
            let listed = image.digest.as_ref().map(shared::domain::Digest::as_str);
            known.digest.as_deref() == listed && known.missing_since.is_none() && !known.is_unopened
        };
        match image.artifact_media_type.as_deref() {
            Some(media_type) if is_helm_config(media_type) => !known.is_some_and(is_as_listed),
            // Something else took a chart's tag.
            Some(_) => known.is_some_and(|known| known.is_available),
            None => known.is_none_or(|known| {
                known.is_unopened || milliseconds(known.observed_at) < self.began_at
            }),
        }
    }
}

impl Summary {
    fn add(&mut self, report: &Report) {
        self.manifests += report.lookups;
        self.added += report.added;
        self.unavailable += report.unavailable;
        self.broken += report.broken;
        self.skipped += report.not_charts;
    }

    fn add_error(&mut self, error: String) {
        if self.errors.len() < ERRORS_MAX && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Whether there was anything to do.
    pub(crate) fn was_due(&self) -> bool {
        self.was_due
    }

    /// What the instance's health says.
    pub(crate) fn health(&self) -> (bool, Option<&str>) {
        (self.complete, self.errors.first().map(String::as_str))
    }
}

fn milliseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    #[test]
    fn a_run_is_gone_on_with_and_a_new_one_begun_only_when_it_is_due() {
        let day = Some(Duration::from_hours(24));
        let later = |hours| NOW + time::Duration::hours(hours);
        let run = Progress::begin(None, day, NOW).unwrap();
        assert!(run.is_running && run.behind.is_none());
        let interrupted = Progress { behind: Some("b".to_owned()), ..run.clone() };
        assert_eq!(
            Progress::begin(Some(interrupted.clone()), day, later(1)),
            Some(interrupted.clone())
        );
        assert_eq!(
            Progress::begin(Some(interrupted), day, later(25)).unwrap().behind,
            None,
            "too long ago"
        );

        let mut done = run.clone();
        done.end(later(2));
        assert_eq!(Progress::begin(Some(done.clone()), day, later(23)), None);
        assert!(Progress::begin(Some(done.clone()), None, later(3)).is_some());
        assert!(
            Progress::begin(Some(done.clone()), day, later(-1)).is_some(),
            "a clock that was wrong"
        );
        let next = Progress::begin(Some(done), day, later(24)).unwrap();
        assert_eq!(
            (next.began_at, next.behind),
            (milliseconds(later(24)), None),
            "what counts is when a run began"
        );

        let mut failed = Progress { has_failed: true, ..run };
        failed.end(NOW);
        assert!(Progress::begin(Some(failed.clone()), day, later(0)).is_none(), "not at once");
        assert!(
            Progress::begin(Some(failed), day, later(1)).is_some(),
            "what failed is tried again"
        );
    }
}
