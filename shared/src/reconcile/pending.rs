//! The references of a batch that are still to be looked at, each with the hints that led to it.

use indexmap::IndexMap;
use time::OffsetDateTime;

use super::{Hint, Push};
use crate::domain::{Digest, Provider, Reference, Subject};

/// In the order of the hints, which is the order of looking.
#[derive(Default)]
pub(super) struct Pending(IndexMap<Subject, Work>);

/// On behalf of which hints a reference is looked at, which pushes may date it, and whether it is
/// read anew.
#[derive(Default)]
struct Work {
    hints: Vec<usize>,
    pushes: Vec<Push>,
    is_requested: bool,
}

impl Pending {
    pub(super) fn of(hints: Vec<Hint>) -> Self {
        let mut pending = Self::default();
        for (index, hint) in hints.into_iter().enumerate() {
            let work = pending.0.entry(hint.subject).or_default();
            work.hints.push(index);
            work.pushes.extend(hint.push);
            work.is_requested |= hint.is_requested;
        }
        pending
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.0.keys()
    }

    /// The references that are digests.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Subject> {
        self.subjects().filter(|subject| matches!(subject.reference, Reference::Digest(_)))
    }

    /// The hints that led to a reference, by their position.
    pub(super) fn hints(&self, subject: &Subject) -> impl Iterator<Item = usize> {
        self.0.get(subject).into_iter().flat_map(|work| work.hints.iter().copied())
    }

    /// Whether somebody asked for a reference to be read anew.
    pub(super) fn is_requested(&self, subject: &Subject) -> bool {
        self.0.get(subject).is_some_and(|work| work.is_requested)
    }

    /// In ECR a chart is as old as its push. Of several pushes of one digest the first one counts;
    /// where no push is known, what the chart says of itself is the best guess.
    pub(super) fn pushed_at(&self, subject: &Subject, digest: &Digest) -> Option<OffsetDateTime> {
        let pushes = self
            .0
            .get(subject)
            .filter(|_| subject.registry.provider() == Provider::Ecr)?
            .pushes
            .iter();
        pushes.filter(|push| push.digest == *digest).map(|push| push.pushed_at).min()
    }

    /// What is looked at next: some references again, and the tags of the digests that were looked
    /// at.
    pub(super) fn next(mut self, again: Vec<Subject>, tags: Vec<(Subject, Subject)>) -> Self {
        let mut next = Self::default();
        for subject in again {
            if let Some(work) = self.0.swap_remove(&subject) {
                next.0.insert(subject, work);
            }
        }
        for (digest, tag) in tags {
            let hints: Vec<usize> = self.hints(&digest).collect();
            next.0.entry(tag).or_default().hints.extend(hints);
        }
        next
    }
}
