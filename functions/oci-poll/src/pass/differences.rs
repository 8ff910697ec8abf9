//! Compares the lists of repositories with the rows, looks at what differs, and settles what then
//! agrees.

use std::collections::HashMap;
use std::ops::ControlFlow::{self, Continue};

use shared::db::KnownTag;
use shared::domain::{Repository, Subject, Tag, newest_first};
use shared::reconcile::{self, Hint};

use super::compare::{Comparison, Rules, compare};
use super::context::{How, Poll, Stopped};
use super::look_up::{BATCH, look_up};
use super::verify_share::{Share, seen_since};
use crate::cursor::{Cursor, Scan, milliseconds};
use crate::instance::Instance;
use crate::summary::Summary;

/// A repository whose rows are to be compared with its list.
pub(super) struct Doubtful {
    pub(super) repository: Repository,
    pub(super) tags: Vec<Tag>,
    pub(super) hash: u64,
    pub(super) is_same: bool,
    pub(super) comparison: Comparison,
    /// Looks that have not brought an answer.
    pub(super) open: usize,
}

/// A tag to be looked at.
struct Look {
    /// In the list of doubtful repositories.
    of: usize,
    tag: Tag,
    is_listed: bool,
}

/// Compares the lists with the rows, looks at what differs, and settles what then agrees.
pub(super) async fn settle(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &Scan,
    doubtful: &mut [Doubtful],
    (how, share): (How, Share),
    due: &mut Vec<(Repository, Tag)>,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    if doubtful.is_empty() {
        return Ok(Continue(()));
    }
    let names: Vec<Repository> =
        doubtful.iter().map(|doubtful| doubtful.repository.clone()).collect();
    let known = poll.database.known_tags(&poll.instance.registry, &names).await?;
    let nothing = HashMap::new();
    let seen_since = seen_since(scan, poll.instance.verify_interval);
    for doubtful in doubtful.iter_mut() {
        let known = known.get(&doubtful.repository).unwrap_or(&nothing);
        doubtful.compare(known, poll, how);
        let is_due = |tag: &&Tag| {
            let known = known.get(*tag).filter(|known| known.is_present);
            known.is_some_and(|known| milliseconds(known.observed_at) < seen_since)
                && share.has(&doubtful.repository, tag)
        };
        let verify = doubtful.tags.iter().filter(is_due).chain(&doubtful.comparison.verify);
        due.extend(verify.map(|tag| (doubtful.repository.clone(), tag.clone())));
        summary.held += doubtful.comparison.held + doubtful.comparison.hold.len() as u64;
    }
    let hold: Vec<Subject> =
        doubtful.iter().flat_map(|doubtful| doubtful.held_from_now_on(poll)).collect();
    let generation = poll.database.hold(&hold, poll.now, &poll.instance.name).await?;
    cursor.follow_generation(generation)?;
    let stopped = look_at(poll, cursor, doubtful, summary).await?;
    for Doubtful { repository, hash, comparison, open, .. } in doubtful {
        if *open == 0 {
            cursor.entries.settle(repository, *hash, comparison.is_unsettled);
        } else {
            cursor.entries.unsettle(repository);
        }
    }
    Ok(stopped)
}

/// Looks at what differs: the newest tag of every repository, then the second newest of every one,
/// so that people see the current charts while the history is still loading.
async fn look_at(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    doubtful: &mut [Doubtful],
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    let mut ranked: Vec<(usize, Look)> = Vec::new();
    for (of, doubtful) in doubtful.iter_mut().enumerate() {
        for (mut tags, is_listed) in doubtful.comparison.take_looks() {
            newest_first(&mut tags);
            doubtful.open += tags.len();
            ranked.extend(tags.into_iter().map(|tag| Look { of, tag, is_listed }).enumerate());
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let looks: Vec<Look> = ranked.into_iter().map(|(_, look)| look).collect();
    for batch in looks.chunks(BATCH) {
        let hint = |look: &Look| {
            let repository = doubtful.get(look.of).map(|doubtful| &doubtful.repository)?;
            Some(Hint::at(poll.subject(repository, &look.tag)))
        };
        let hints: Vec<Hint> = batch.iter().filter_map(hint).collect();
        let (report, stopped) = look_up(poll, cursor, hints, summary).await?;
        for (index, look) in batch.iter().enumerate() {
            let Some(doubtful) = doubtful.get_mut(look.of) else { continue };
            doubtful.open -= usize::from(report.outcomes.get(index).is_some_and(is_settled));
            let is_absent = report.absent.contains(&index);
            // Listed and absent; or not listed and there, or held back.
            doubtful.comparison.is_unsettled |=
                look.is_listed == is_absent || !look.is_listed && report.held > 0;
        }
        if stopped.is_break() {
            return Ok(stopped);
        }
    }
    Ok(Continue(()))
}

impl Doubtful {
    fn compare(&mut self, known: &HashMap<Tag, KnownTag>, poll: &Poll<'_>, how: How) {
        let Instance { deletion_hold, verify_interval, .. } = *poll.instance;
        let believed = how != How::WithoutCatalog;
        let rules = Rules { now: poll.now, hold: deletion_hold, verify: verify_interval, believed };
        self.comparison = compare(&self.tags, known, self.is_same, &rules);
        // Of a repository that no catalog lists nobody else will ask again.
        self.comparison.is_unsettled |=
            matches!(how, How::Vanished | How::WithoutCatalog) && !self.tags.is_empty();
    }

    fn held_from_now_on(&self, poll: &Poll<'_>) -> impl Iterator<Item = Subject> {
        self.comparison.hold.iter().map(|tag| poll.subject(&self.repository, tag))
    }
}

/// Whether a reference need not be looked at again before its list changes. What is past a limit
/// stays so.
fn is_settled(outcome: &Result<(), std::sync::Arc<reconcile::Error>>) -> bool {
    outcome.as_ref().map_or_else(|error| error.is_beyond_limits(), |()| true)
}
