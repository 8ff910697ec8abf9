//! The outcome of a batch of hints.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::info;

use super::pending::Pending;
use crate::db::{self, Applied};
use crate::domain::Subject;
use crate::oci;

/// Why a hint failed. It is safe to give the same hint again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The look failed.
    #[error("cannot look up {subject}")]
    Lookup {
        /// The subject.
        subject: Subject,
        /// The registry's answer, or why there is none.
        source: oci::Error,
    },
    /// The database refuses the observation.
    #[error("cannot store {subject}")]
    Rejected {
        /// The subject.
        subject: Subject,
        /// The database's answer.
        source: db::Error,
    },
    /// The deadline came before the registry answered.
    #[error("there was no time to look up {subject}")]
    Unfinished {
        /// The subject.
        subject: Subject,
    },
    /// The registry does not have what was pushed a moment ago.
    #[error("{subject} was pushed, but the registry does not show it yet")]
    NotVisible {
        /// The subject.
        subject: Subject,
    },
    /// The subject resolved to something else in every round.
    #[error("{subject} kept changing while it was looked at")]
    Unsettled {
        /// The subject.
        subject: Subject,
    },
}

/// The outcome of a batch of hints.
#[derive(Debug)]
pub struct Report {
    /// One outcome per hint, in the order of the hints. A hint that changes nothing is `Ok` too.
    pub outcomes: Vec<Result<(), Arc<Error>>>,
    /// How many looks there were.
    pub lookups: u64,
    /// How many looks found something other than a chart.
    pub not_charts: u64,
    /// How many subjects there was no time for.
    pub unfinished: u64,
    /// How many chart rows became available.
    pub added: u64,
    /// The tags of those rows.
    pub available: Vec<Subject>,
    /// How many chart rows became unavailable.
    pub unavailable: u64,
    /// The tags of those rows.
    pub retired: Vec<Subject>,
    /// How many chart rows were written with an error, because the chart is BROKEN.
    pub broken: u64,
    /// How many missing tags are held back.
    pub held: u64,
    /// The positions of the hints whose subject is absent, or whose chart is held back.
    pub absent: HashSet<usize>,
    /// The instance's generation after each transaction that changed rows.
    pub generations: Vec<i64>,
}

impl Report {
    pub(super) fn of(hints: usize) -> Self {
        let outcomes = (0..hints).map(|_| Ok(())).collect();
        Self {
            outcomes,
            lookups: 0,
            not_charts: 0,
            unfinished: 0,
            added: 0,
            available: Vec::new(),
            unavailable: 0,
            retired: Vec::new(),
            broken: 0,
            held: 0,
            absent: HashSet::new(),
            generations: Vec::new(),
        }
    }

    pub(super) fn take_changes(&mut self, applied: &Applied) {
        self.added += applied.available.len() as u64;
        self.available.extend(applied.available.iter().cloned());
        self.broken += applied.broken;
        self.unavailable += applied.unavailable.len() as u64;
        self.retired.extend(applied.unavailable.iter().cloned());
        self.generations.extend(&applied.generations);
        for (subjects, outcome) in [
            (&applied.available, "chart available"),
            (&applied.unavailable, "chart no longer available"),
        ] {
            for Subject { registry, repository, reference } in subjects {
                info!(registry = registry.host(), %repository, tag = %reference, "{outcome}");
            }
        }
    }

    /// Records an error for every hint that led to these subjects.
    pub(super) fn fail<'a>(
        &mut self,
        pending: &Pending,
        subjects: impl IntoIterator<Item = &'a Subject>,
        error: Error,
    ) {
        self.fail_hints(subjects.into_iter().flat_map(|subject| pending.hints(subject)), error);
    }

    /// Records that the registry does not show the pushes of a subject. Other hints of the subject
    /// do not fail, because the pushes come again.
    pub(super) fn fail_invisible(&mut self, pending: &Pending, subject: &Subject) {
        let error = Error::NotVisible { subject: subject.clone() };
        self.fail_hints(pending.awaiting_hints(subject), error);
    }

    fn fail_hints(&mut self, hints: impl Iterator<Item = usize>, error: Error) {
        let error = Arc::new(error);
        for hint in hints {
            if let Some(outcome) = self.outcomes.get_mut(hint) {
                *outcome = Err(Arc::clone(&error));
            }
        }
    }

    /// Records that there was no time for a subject.
    pub(super) fn leave(&mut self, pending: &Pending, subject: &Subject) {
        self.unfinished += 1;
        self.fail(pending, [subject], Error::Unfinished { subject: subject.clone() });
    }

    /// Records whether a subject is absent now. A later round may find it again.
    pub(super) fn set_absent(&mut self, pending: &Pending, subject: &Subject, is_absent: bool) {
        for hint in pending.hints(subject) {
            if is_absent {
                self.absent.insert(hint)
            } else {
                self.absent.remove(&hint)
            };
        }
    }
}

impl Error {
    /// Returns whether the artifact is past a limit, so that a retry would fail the same way.
    #[must_use]
    pub fn is_beyond_limits(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_beyond_limits())
    }

    /// Returns whether the registry is expected to answer otherwise within a minute.
    #[must_use]
    pub fn is_not_visible(&self) -> bool {
        matches!(self, Self::NotVisible { .. })
    }

    /// Returns whether the client sent no request, because the repository gave no answer before.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_stalled())
    }

    /// Returns whether the registry accepts no request for the rest of the invocation.
    #[must_use]
    pub fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_asked_to_wait())
    }
}
