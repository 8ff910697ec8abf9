//! The subjects of a batch that are still to be looked at, each with the hints that led to it.

use indexmap::IndexMap;
use time::OffsetDateTime;

use super::{Hint, Listing, Push};
use crate::domain::{Digest, Provider, Reference, Subject};

/// The subjects, in the order of the hints, which is the order of the looks.
#[derive(Default)]
pub(super) struct Pending(IndexMap<Subject, Work>);

/// The hints of one subject.
#[derive(Default)]
struct Work {
    /// The positions of the hints.
    hints: Vec<usize>,
    /// The pushes that may date the chart.
    pushes: Vec<Push>,
    /// Whether a rescan asks for it.
    is_requested: bool,
    /// The number of hints that report a push which may not be visible yet.
    awaited: usize,
    /// What the repository's list says of it.
    listing: Listing,
}

impl Pending {
    pub(super) fn of(hints: Vec<Hint>) -> Self {
        let mut pending = Self::default();
        for (index, hint) in hints.into_iter().enumerate() {
            let work = pending.0.entry(hint.subject).or_default();
            work.hints.push(index);
            work.pushes.extend(hint.push);
            work.is_requested |= hint.is_requested;
            work.listing = work.listing.max(hint.listing);
            work.awaited += usize::from(hint.awaits_push);
        }
        pending
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.0.keys()
    }

    /// Lists the subjects whose reference is a digest.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Subject> {
        self.subjects().filter(|subject| matches!(subject.reference, Reference::Digest(_)))
    }

    /// Lists the positions of the hints that led to a subject.
    pub(super) fn hints(&self, subject: &Subject) -> impl Iterator<Item = usize> {
        self.0.get(subject).into_iter().flat_map(|work| work.hints.iter().copied())
    }

    /// Returns whether a rescan asks for a subject.
    pub(super) fn is_requested(&self, subject: &Subject) -> bool {
        self.0.get(subject).is_some_and(|work| work.is_requested)
    }

    /// Returns the times of the pushes of a digest, for ECR only: there a chart is as old as its
    /// first push. If no push is known, the caller uses the date in the chart's manifest.
    pub(super) fn pushed_at(
        &self,
        subject: &Subject,
        digest: &Digest,
    ) -> impl Iterator<Item = OffsetDateTime> {
        let work = self.0.get(subject).filter(|_| subject.registry.provider() == Provider::Ecr);
        let pushes = work.into_iter().flat_map(|work| &work.pushes);
        pushes.filter(|push| push.digest == *digest).map(|push| push.pushed_at)
    }

    /// Returns whether every hint of a subject reports a push that may not be visible yet.
    pub(super) fn awaits_push(&self, subject: &Subject) -> bool {
        self.0.get(subject).is_some_and(|work| work.awaited == work.hints.len() && work.awaited > 0)
    }

    /// Returns what the repository's list says of a subject.
    pub(super) fn listing(&self, subject: &Subject) -> Listing {
        self.0.get(subject).map_or(Listing::Unread, |work| work.listing)
    }

    /// Returns what the next round looks at: the subjects in `again`, and the tags of digests that
    /// were looked at. `tags` has pairs of a digest and a tag.
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
