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
    /// Whether outdated contents are read again.
    renews_contents: bool,
    /// What the recent pushes say that may not be visible yet.
    awaited: Awaited,
    /// When the last event happened that needs no such push, in seconds since 1970. A hint without
    /// an event counts as later than any.
    other_at: Option<i64>,
    /// What the repository's list says of it.
    listing: Listing,
}

/// The pushes of a subject that may not be visible yet.
#[derive(Default)]
struct Awaited {
    /// When the last of them happened, in seconds since 1970.
    pushed_at: Option<i64>,
    /// Their digests. `None` stands for one that the event did not name.
    digests: Vec<Option<Digest>>,
    /// The positions of their hints.
    hints: Vec<usize>,
}

impl Work {
    fn add(&mut self, index: usize, hint: Hint) {
        let reported_at = hint.reported_at.map_or(i64::MAX, OffsetDateTime::unix_timestamp);
        let latest = if hint.awaits_push {
            self.awaited.digests.push(hint.push.as_ref().map(|push| push.digest.clone()));
            self.awaited.hints.push(index);
            &mut self.awaited.pushed_at
        } else {
            &mut self.other_at
        };
        *latest = (*latest).max(Some(reported_at));
        self.hints.push(index);
        self.pushes.extend(hint.push);
        self.is_requested |= hint.is_requested;
        self.renews_contents |= hint.renews_contents;
        self.listing = self.listing.max(hint.listing);
    }

    /// Returns whether no event is later than the pushes. Times of events are whole seconds.
    fn awaits_push(&self) -> bool {
        self.awaited.pushed_at.is_some() && self.other_at <= self.awaited.pushed_at
    }
}

impl Pending {
    pub(super) fn of(hints: Vec<Hint>) -> Self {
        let mut pending = Self::default();
        for (index, hint) in hints.into_iter().enumerate() {
            pending.0.entry(hint.subject.clone()).or_default().add(index, hint);
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

    /// Returns whether outdated contents of a subject are read again.
    pub(super) fn renews_contents(&self, subject: &Subject) -> bool {
        self.0.get(subject).is_some_and(|work| work.renews_contents)
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

    /// Returns whether a push of a subject may not be visible yet.
    pub(super) fn awaits_push(&self, subject: &Subject) -> bool {
        self.0.get(subject).is_some_and(Work::awaits_push)
    }

    /// Lists the positions of the hints that report such a push.
    pub(super) fn awaiting_hints(&self, subject: &Subject) -> impl Iterator<Item = usize> {
        self.0.get(subject).into_iter().flat_map(|work| work.awaited.hints.iter().copied())
    }

    /// Returns whether such a push has another digest than the one that the subject resolves to.
    pub(super) fn awaits_other_than(&self, subject: &Subject, digest: &Digest) -> bool {
        let is_other =
            |awaited: &Option<Digest>| awaited.as_ref().is_some_and(|awaited| awaited != digest);
        let work = self.0.get(subject).filter(|work| work.awaits_push());
        work.is_some_and(|work| work.awaited.digests.iter().all(is_other))
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
