//! Compares everything that ECR's service lists with the rows in the database, and looks up the
//! differences. It imports a registry on the first day, and finds the events that EventBridge lost.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use shared::aws::{EcrCatalog, Images, ListedTag};
use shared::db::{StoredObservation, StoredState, StoredTag};
use shared::domain::{Account, Reference, Registry, Repository, Subject, Tag};
use shared::helm::is_helm_config;
use shared::metrics::Metric;
use shared::reconcile::{self, Hint};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::additions::{Additions, Candidate, keep_tags_with_rows};
use super::progress::{Progress, ProgressKey, milliseconds};
use super::summary::BackfillSummary;
use crate::context::Context;
use crate::look_up::look_up;
use crate::payload::BackfillRequest;
use crate::retry::retry;

/// Number of references that are looked up and written together. A moved tag changes two rows, so a
/// transaction changes at most 200. Each of them notifies every open page of Platz.
const BATCH: usize = 100;

/// The most outdated contents that an invocation reads again, so that an update of the program does
/// not delay the repair.
const RENEWALS_MAX: usize = 2_000;

/// The least time that must be left to begin one more repository.
const REPOSITORY_TIME: Duration = Duration::from_secs(2);

/// The time between two writes of the progress, so that a run after a crash repeats little work.
const KEEP_PLACE: Duration = Duration::from_secs(3);

/// Time kept back for the last write of the progress.
const SAVE_TIME: Duration = Duration::from_millis(300);

/// Holds what one run needs.
struct Run<'a> {
    context: &'a Context,
    catalog: EcrCatalog,
    additions: Additions,
    /// How many outdated contents may still be read again.
    renewals_left: usize,
    began_at: i64,
    deadline: Instant,
}

/// A repository that is compared.
struct ComparedRepository<'a> {
    registry: Arc<Registry>,
    repository: &'a Repository,
    /// Says whether new charts may be added. If not, only the existing rows are corrected.
    may_add: bool,
}

/// A run that is due, and the time of the database's clock.
struct DueRun {
    progress: Progress,
    now: OffsetDateTime,
}

/// Resumes the interrupted run, or starts a new one if it is due.
///
/// # Errors
/// Fails if the database cannot be used, or ECR does not list its repositories.
pub(crate) async fn backfill(
    context: &Context,
    request: &BackfillRequest,
    deadline: Instant,
) -> anyhow::Result<BackfillSummary> {
    let name = context.instance_name(&request.region);
    let mut summary = BackfillSummary { instance: name.clone(), ..BackfillSummary::default() };
    let Some(DueRun { mut progress, now }) = due_run(context, request, &name, deadline).await?
    else {
        summary.complete = true;
        return Ok(summary);
    };
    progress.work(now);
    summary.was_due = true;
    // Until the first run is complete, a new chart does not count as repaired.
    let is_repair = progress.covered_until.is_some();
    let source = request.region.to_string();
    let place = ProgressKey { name: &name, source: &source, scope: &request.scope };
    place.keep(context, &progress).await?;
    let catalog = EcrCatalog::new(request.region.clone(), request.account.clone()).await;
    let stop_at = deadline.checked_sub(SAVE_TIME).unwrap_or(deadline);
    let additions = Additions::load(context, stop_at).await?;
    let mut run = Run {
        context,
        catalog,
        additions,
        renewals_left: RENEWALS_MAX,
        began_at: progress.began_at,
        deadline: stop_at,
    };
    let ended = timeout_at(stop_at, run.walk(request, &mut progress, &mut summary, place)).await;
    let is_done = ended.unwrap_or(Ok(false));
    if matches!(is_done, Ok(true)) {
        progress.end(now);
        summary.complete = !progress.has_failed;
        if progress.has_failed && summary.errors.is_empty() {
            summary.add_error(
                "an earlier invocation of this run had an error: see its log".to_owned(),
            );
        }
    } else {
        summary
            .add_error("the invocation was out of time: the next one resumes the run".to_owned());
    }
    summary.would_add = run.additions.are_limited().then_some(progress.would_add);
    if is_repair {
        Metric::RepairFound.count(context.measured_name(), summary.added + summary.unavailable);
    }
    // Written even after a failure, so that the next run resumes here.
    place.keep(context, &progress).await?;
    is_done?;
    let BackfillSummary { repositories, tags, manifests, added, unavailable, complete, .. } =
        summary;
    info!(
        instance = name,
        repositories, tags, manifests, added, unavailable, complete, "backfill ended"
    );
    Ok(summary)
}

/// Returns the run to resume or to start, if one is due.
async fn due_run(
    context: &Context,
    request: &BackfillRequest,
    name: &str,
    deadline: Instant,
) -> anyhow::Result<Option<DueRun>> {
    let database = &context.database;
    let lost_at = match request.unless_within {
        Some(_) => retry(deadline, || database.ask_repair(name)).await?,
        None => None,
    };
    let (now, stored) = retry(deadline, || database.progress(name, &request.scope)).await?;
    let stored: Option<Progress> = stored.and_then(|stored| serde_json::from_value(stored).ok());
    let last = stored.as_ref().zip(lost_at);
    let misses_events = last.is_some_and(|(last, lost_at)| last.misses_events(lost_at, now));
    let unless_within = request.unless_within.filter(|_| !misses_events);
    let progress = Progress::begin(stored, unless_within, now);
    Ok(progress.map(|progress| DueRun { progress, now }))
}

impl Run<'_> {
    /// Compares every repository. Returns whether there was time for all of them.
    async fn walk(
        &mut self,
        request: &BackfillRequest,
        progress: &mut Progress,
        summary: &mut BackfillSummary,
        place: ProgressKey<'_>,
    ) -> anyhow::Result<bool> {
        let (mut listed, skipped) = self.catalog.list_repositories().await?;
        summary.skipped += skipped;
        let mut accounts: BTreeSet<Account> =
            listed.iter().map(|(account, _)| account.clone()).collect();
        accounts.extend(request.account.clone());
        if accounts.is_empty() {
            accounts.insert(self.catalog.own_account().await?);
        }
        if request.import {
            self.additions.import(self.context, request, accounts.iter(), self.deadline).await?;
        }
        listed.retain(|(_, repository)| self.may_add_to(request, repository));
        for account in accounts {
            let known = self.repositories_with_rows(&account).await?;
            listed.extend(known.into_iter().map(|repository| (account.clone(), repository)));
        }
        listed.sort_by(|(account, name), (other, beside)| (name, account).cmp(&(beside, other)));
        listed.dedup();
        let behind = progress.behind.clone();
        let left = listed
            .iter()
            .filter(|(_, name)| behind.as_deref().is_none_or(|behind| name.as_str() > behind));
        let mut kept_at = Instant::now();
        for (account, repository) in left {
            let has_time = Instant::now() + REPOSITORY_TIME < self.deadline;
            let compared = ComparedRepository {
                registry: Arc::new(Registry::ecr(account, self.catalog.region())?),
                repository,
                may_add: self.may_add_to(request, repository),
            };
            if !has_time || !self.follow(account, &compared, progress, summary).await? {
                return Ok(false);
            }
            progress.behind = Some(repository.to_string());
            if kept_at.elapsed() > KEEP_PLACE {
                place.keep(self.context, progress).await?;
                kept_at = Instant::now();
            }
        }
        Ok(true)
    }

    /// Returns whether new charts of a repository may be added. Events add charts only to the
    /// instance's own selection, so a backfill does the same.
    fn may_add_to(&self, request: &BackfillRequest, repository: &Repository) -> bool {
        request.selection.has(repository) && self.context.settings.selection.has(repository)
    }

    /// Lists the repositories whose rows may be wrong, whether they are selected, listed, or
    /// neither.
    async fn repositories_with_rows(&self, account: &Account) -> anyhow::Result<Vec<Repository>> {
        let registry = Registry::ecr(account, self.catalog.region())?;
        let database = &self.context.database;
        let observed = retry(self.deadline, || database.known_repositories(&registry)).await?;
        let charts = retry(self.deadline, || database.repositories_with_charts(&registry)).await?;
        Ok(observed.into_iter().chain(charts).collect())
    }

    /// Compares one repository. Returns whether there was time for all of it.
    async fn follow(
        &mut self,
        account: &Account,
        compared: &ComparedRepository<'_>,
        progress: &mut Progress,
        summary: &mut BackfillSummary,
    ) -> anyhow::Result<bool> {
        let repository = compared.repository;
        summary.repositories += 1;
        let images = match self.catalog.list_images(account, repository).await {
            Ok(Images::Listed(images)) => images,
            Ok(Images::NoRepository) => Vec::new(),
            // The error is only recorded, so that one repository does not stop the others.
            Err(error) => {
                progress.has_failed = true;
                warn!(%repository, "{error}");
                summary.add_error(format!("{repository}: {error}"));
                return Ok(true);
            }
        };
        summary.tags += images.len() as u64;
        self.compare(compared, &images, progress, summary).await
    }

    /// Looks up the differences between the complete list of a repository's tags and the rows.
    async fn compare(
        &mut self,
        compared: &ComparedRepository<'_>,
        images: &[ListedTag],
        progress: &mut Progress,
        summary: &mut BackfillSummary,
    ) -> anyhow::Result<bool> {
        let missing = self.missing_tags(compared, images).await?;
        let (mut hints, mut withheld) = (Vec::new(), 0);
        for images in images.chunks(BATCH) {
            let subjects: Vec<Subject> =
                images.iter().map(|image| compared.subject(image.tag.clone())).collect();
            let database = &self.context.database;
            let stored = retry(self.deadline, || database.load(&subjects)).await?;
            let candidates = images.iter().zip(subjects);
            let mut candidates: Vec<Candidate<'_>> = candidates
                .filter_map(|(listed, subject)| {
                    let renews_contents = self.renews(&subject, &stored);
                    let candidate = Candidate { listed, subject, renews_contents };
                    let is_worth_a_look =
                        renews_contents || self.is_worth_a_look(&candidate, &stored);
                    is_worth_a_look.then_some(candidate)
                })
                .collect();
            if compared.may_add {
                withheld += self
                    .additions
                    .withhold(self.context, &mut candidates, &stored, self.deadline)
                    .await?;
            } else {
                keep_tags_with_rows(self.context, &mut candidates, self.deadline).await?;
            }
            hints.extend(candidates.into_iter().map(Candidate::hint));
        }
        hints.extend(missing.into_iter().map(|tag| Hint::at(compared.subject(tag))));
        let is_done =
            self.look_up_in_batches(&hints, compared.repository, progress, summary).await?;
        // An unfinished repository is compared again by the next invocation.
        progress.would_add += if is_done { withheld } else { 0 };
        Ok(is_done)
    }

    /// Lists the tags that the database has and ECR does not list. A row may have no observation,
    /// because another program wrote it.
    async fn missing_tags(
        &self,
        ComparedRepository { registry, repository, .. }: &ComparedRepository<'_>,
        images: &[ListedTag],
    ) -> anyhow::Result<HashSet<Tag>> {
        let database = &self.context.database;
        let only = std::slice::from_ref(*repository);
        let take = |present: &mut HashSet<Tag>, stored: StoredTag<'_>| {
            let present_tag = stored.tag.parse().ok().filter(|_| stored.known.is_present);
            present.extend(present_tag);
        };
        let read = || database.known_tags(registry, only, HashSet::new, take);
        let mut missing = retry(self.deadline, read).await?;
        let charts = || database.tags_with_charts(registry, repository);
        missing.extend(retry(self.deadline, charts).await?);
        for image in images {
            missing.remove(&image.tag);
        }
        Ok(missing)
    }

    /// Looks up the hints and writes the changes. Returns whether there was time for all of them.
    async fn look_up_in_batches(
        &self,
        hints: &[Hint],
        repository: &Repository,
        progress: &mut Progress,
        summary: &mut BackfillSummary,
    ) -> anyhow::Result<bool> {
        for batch in hints.chunks(BATCH) {
            let report = look_up(self.context, batch.to_vec(), self.deadline).await?;
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

    /// Returns whether to read the contents of a chart again, because an earlier version of the
    /// program read them.
    fn renews(&mut self, subject: &Subject, stored: &StoredState) -> bool {
        let is_outdated = stored.observations.get(subject).is_some_and(|known| known.is_outdated);
        let renews = is_outdated && self.renewals_left > 0;
        self.renewals_left -= usize::from(renews);
        renews
    }

    /// Returns whether a listed tag may differ from its row. If the list gives no media type, it
    /// skips a tag that this run has observed already.
    fn is_worth_a_look(&self, candidate: &Candidate<'_>, stored: &StoredState) -> bool {
        let known = stored.observations.get(&candidate.subject);
        let is_as_listed = |known: &StoredObservation| {
            let listed = candidate.listed.digest.as_ref().map(shared::domain::Digest::as_str);
            known.digest.as_deref() == listed && known.missing_since.is_none() && !known.is_unopened
        };
        match candidate.listed.artifact_media_type.as_deref() {
            Some(media_type) if is_helm_config(media_type) => !known.is_some_and(is_as_listed),
            // The tag named a chart before and now names another kind of artifact.
            Some(_) => known.is_some_and(|known| known.is_available),
            None => known.is_none_or(|known| {
                known.is_unopened || milliseconds(known.observed_at) < self.began_at
            }),
        }
    }
}

impl ComparedRepository<'_> {
    fn subject(&self, tag: Tag) -> Subject {
        Subject {
            registry: Arc::clone(&self.registry),
            repository: self.repository.clone(),
            reference: Reference::Tag(tag),
        }
    }
}
