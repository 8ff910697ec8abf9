//! Compares the lists of repositories with the rows, looks at the differences, and settles the
//! repositories whose rows then agree.

use std::collections::{HashMap, HashSet};

use shared::db::{FaultKind, Mark, StoredTag};
use shared::domain::{Repository, Subject, Tag, newest_first};
use shared::reconcile::{Hint, Listing};

use super::compare::{Comparing, Comparison, Rules};
use super::context::{Halt, How, Pass, Poll};
use super::faults::{Answered, record_faults};
use super::look_up::{BATCH, look_up};
use super::verify_share::VerifyShare;
use crate::cursor::milliseconds;
use crate::instance::Instance;

/// A repository whose rows may differ from its list.
#[derive(Debug)]
pub(super) struct Doubtful {
    repository: Repository,
    tags: Vec<Tag>,
    hash: u64,
    /// Whether an earlier pass compared the same list.
    is_same: bool,
    /// Whether another writer changed the rows since that pass.
    is_noted: bool,
    /// What an absence from the list says.
    unlisted: Listing,
    comparison: Comparison,
    /// The number of looks without an answer and without a stored fault.
    open: usize,
    /// Whether tags of it are due for verification.
    is_due: bool,
}

/// A comparison under way, and the tags that it finds due for verification.
#[derive(Debug)]
struct ComparingDoubtful<'a> {
    repository: &'a Repository,
    rows: Comparing<'a>,
    share: VerifyShare,
    seen_since: i64,
    due: Vec<Tag>,
}

/// A tag to look at.
#[derive(Debug)]
struct PlannedLook {
    /// The index of the repository.
    of: usize,
    tag: Tag,
    is_listed: bool,
}

/// Compares the lists with the rows, looks at the differences, and settles what agrees. Adds the
/// tags to verify to `due`.
///
/// # Errors
/// Fails if there is no time, if the registry sends a `Retry-After`, or if the database fails.
pub(super) async fn settle(
    pass: &mut Pass<'_>,
    doubtful: &mut [Doubtful],
    how: How,
    due: &mut Vec<(Repository, Tag)>,
) -> Result<(), Halt> {
    if doubtful.is_empty() {
        return Ok(());
    }
    compare_all(pass, doubtful, how, due).await?;
    let poll = pass.poll;
    let subjects = |tags: fn(&Comparison) -> &Vec<Tag>| -> Vec<Subject> {
        doubtful.iter().flat_map(|doubtful| doubtful.subjects(poll, tags)).collect()
    };
    let (hold, forget) =
        (subjects(|comparison| &comparison.hold), subjects(|comparison| &comparison.forget));
    record_faults(pass, &[], &forget).await?;
    let generation = poll.database.mark(Mark::Missing, &hold, poll.now, poll.writer()).await?;
    poll.population.add_held(hold.len() as u64);
    pass.cursor.follow_generation(generation)?;
    let looked = look_at(pass, doubtful).await;
    for Doubtful { repository, hash, unlisted, comparison, open, is_due, .. } in doubtful {
        if *open == 0 {
            pass.cursor.entries.settle(repository, *hash, comparison.is_unsettled);
            // A mark says nothing about a repository that the registry does not show.
            if *unlisted != Listing::Denied {
                pass.set_mark(repository);
            }
            if !*is_due {
                pass.finish(repository);
            }
        } else {
            pass.cursor.entries.unsettle(repository);
        }
    }
    looked
}

/// Compares every list with the rows. Adds the tags to verify to `due`.
async fn compare_all(
    pass: &mut Pass<'_>,
    doubtful: &mut [Doubtful],
    how: How,
    due: &mut Vec<(Repository, Tag)>,
) -> Result<(), Halt> {
    let poll = pass.poll;
    let names: Vec<Repository> =
        doubtful.iter().map(|doubtful| doubtful.repository.clone()).collect();
    let faults = poll.database.faults_in(&poll.instance.name, &poll.instance.registry, &names);
    let faults = faults.await?;
    let compared = {
        let by_name: HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let mut failed = vec![HashSet::new(); names.len()];
        for fault in faults.iter().filter(|fault| fault.kind == FaultKind::Failed) {
            let index = by_name.get(fault.repository.as_str()).copied();
            if let Some(failed) = index.and_then(|index| failed.get_mut(index)) {
                failed.insert(fault.tag.clone());
            }
        }
        let begin = || -> Vec<ComparingDoubtful<'_>> {
            let each = doubtful.iter().zip(&failed);
            each.map(|(doubtful, failed)| doubtful.begin(pass, how, failed)).collect()
        };
        let take = |comparing: &mut Vec<ComparingDoubtful<'_>>, stored: StoredTag<'_>| {
            let index = by_name.get(stored.repository).copied();
            if let Some(comparing) = index.and_then(|index| comparing.get_mut(index)) {
                comparing.take(stored);
            }
        };
        let registry = &poll.instance.registry;
        let mut comparing = poll.database.known_tags(registry, &names, begin, take).await?;
        for fault in &faults {
            let index = by_name.get(fault.repository.as_str()).copied();
            if let Some(comparing) = index.and_then(|index| comparing.get_mut(index)) {
                comparing.rows.take_fault(fault);
            }
        }
        let ended = comparing.into_iter().map(|comparing| (comparing.due, comparing.rows.end()));
        ended.collect::<Vec<(Vec<Tag>, Comparison)>>()
    };
    for (doubtful, (mut tags, comparison)) in doubtful.iter_mut().zip(compared) {
        tags.extend(comparison.verify.iter().cloned());
        // A tag may be due for both reasons.
        tags.sort_unstable();
        tags.dedup();
        doubtful.is_due = !tags.is_empty();
        due.extend(tags.into_iter().map(|tag| (doubtful.repository.clone(), tag)));
        pass.summary.held += comparison.held + comparison.hold.len() as u64;
        // The catalog does not list a repository that vanished, so that only its entry brings the
        // next pass back to it.
        let stays = matches!(how, How::Vanished | How::WithoutCatalog) && !doubtful.tags.is_empty();
        doubtful.comparison = comparison;
        doubtful.comparison.is_unsettled |= stays;
    }
    Ok(())
}

/// Looks at the differences. The newest tag of every repository comes first, then the second
/// newest of every one, so that users see the current charts while the history is still loading.
async fn look_at(pass: &mut Pass<'_>, doubtful: &mut [Doubtful]) -> Result<(), Halt> {
    for batch in plan_looks(doubtful).chunks(BATCH) {
        if pass.is_work_over() {
            return Err(Halt::OutOfTime);
        }
        let is_stalled = |look: &&PlannedLook| {
            let doubtful = doubtful.get(look.of);
            doubtful.is_some_and(|of| pass.cursor.entries.is_visited(&of.repository))
        };
        let batch: Vec<&PlannedLook> = batch.iter().filter(|look| !is_stalled(look)).collect();
        let hint = |look: &&PlannedLook| {
            let Doubtful { repository, unlisted, .. } = doubtful.get(look.of)?;
            let hint = Hint::at(pass.poll.subject(repository, &look.tag));
            let listing = if look.is_listed { Listing::Listed } else { *unlisted };
            Some(Hint { listing, ..hint })
        };
        let hints: Vec<Hint> = batch.iter().filter_map(hint).collect();
        let looked_up = look_up(pass, hints).await?;
        let report = looked_up.report;
        for (index, look) in batch.iter().enumerate() {
            let Some(doubtful) = doubtful.get_mut(look.of) else { continue };
            let Some(outcome) = report.outcomes.get(index).map(Answered::of) else { continue };
            doubtful.open -= usize::from(outcome != Answered::No);
            let is_absent = report.absent.contains(&index);
            // A listed tag is absent, or a tag that is not listed is present or held back.
            doubtful.comparison.is_unsettled |= outcome == Answered::Failed
                || look.is_listed == is_absent
                || !look.is_listed && report.held > 0;
        }
        looked_up.end?;
    }
    Ok(())
}

/// Takes the looks out of the comparisons, in the order in which to make them.
fn plan_looks(doubtful: &mut [Doubtful]) -> Vec<PlannedLook> {
    let mut ranked: Vec<(usize, PlannedLook)> = Vec::new();
    for (of, doubtful) in doubtful.iter_mut().enumerate() {
        for (mut tags, is_listed) in doubtful.comparison.take_looks() {
            newest_first(&mut tags);
            doubtful.open += tags.len();
            let looks = tags.into_iter().map(|tag| PlannedLook { of, tag, is_listed });
            ranked.extend(looks.enumerate());
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, look)| look).collect()
}

impl ComparingDoubtful<'_> {
    fn take(&mut self, stored: StoredTag<'_>) {
        let StoredTag { tag, known, .. } = stored;
        // A tag that was never looked at gets a look anyway.
        let is_due = self.rows.take(tag, known)
            && known.is_present
            && known.is_observed
            && milliseconds(known.observed_at) < self.seen_since;
        if is_due
            && let Ok(tag) = tag.parse()
            && self.share.has(self.repository, &tag)
        {
            self.due.push(tag);
        }
    }
}

impl Doubtful {
    pub(super) fn new(repository: Repository, tags: Vec<Tag>, hash: u64, is_same: bool) -> Self {
        let comparison = Comparison::default();
        let (unlisted, is_due, open) = (Listing::Unlisted, false, 0);
        Self {
            repository,
            tags,
            hash,
            is_same,
            is_noted: false,
            unlisted,
            comparison,
            open,
            is_due,
        }
    }

    /// Notes what an absence from the list says.
    pub(super) fn unlisted(self, unlisted: Listing) -> Self {
        Self { unlisted, ..self }
    }

    /// Notes whether another writer changed the rows.
    pub(super) fn noted(self, is_noted: bool) -> Self {
        Self { is_noted, ..self }
    }

    fn begin<'a>(
        &'a self,
        pass: &Pass<'_>,
        how: How,
        failed: &'a HashSet<String>,
    ) -> ComparingDoubtful<'a> {
        let Instance { deletion_hold, verify_interval, .. } = *pass.poll.instance;
        let rules = Rules {
            now: pass.poll.now,
            hold: deletion_hold,
            verify: verify_interval,
            believed: how != How::WithoutCatalog,
            is_same: self.is_same,
            is_noted: self.is_noted,
        };
        ComparingDoubtful {
            repository: &self.repository,
            rows: Comparing::begin(&self.tags, failed, rules),
            share: pass.share_of(&self.repository),
            seen_since: pass.seen_since(),
            due: Vec::new(),
        }
    }

    fn subjects(
        &self,
        poll: &Poll<'_>,
        tags: fn(&Comparison) -> &Vec<Tag>,
    ) -> impl Iterator<Item = Subject> {
        tags(&self.comparison).iter().map(|tag| poll.subject(&self.repository, tag))
    }
}
