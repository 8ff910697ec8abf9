//! What became of a batch of hints.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::info;

use super::pending::Pending;
use crate::db::{self, Applied};
use crate::domain::Subject;
use crate::oci;

/// Why one hint came to nothing. It is safe to give the same hint again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry did not tell.
    #[error("cannot look up {subject}")]
    Lookup {
        /// What was looked at.
        subject: Subject,
        /// The registry's answer.
        source: oci::Error,
    },
    /// The database refuses what the registry told.
    #[error("cannot store {subject}")]
    Rejected {
        /// What was looked at.
        subject: Subject,
        /// The database's answer.
        source: db::Error,
    },
    /// The invocation's time was over before the registry had answered.
    #[error("there was no time to look up {subject}")]
    Unfinished {
        /// What was to be looked at.
        subject: Subject,
    },
    /// The registry told something else each time.
    #[error("{subject} kept changing while it was looked at")]
    Unsettled {
        /// What was looked at.
        subject: Subject,
    },
}

/// What became of a batch of hints.
#[derive(Debug)]
pub struct Report {
    /// One outcome per hint, in the hints' order. A hint that changed nothing is done all the same.
    pub outcomes: Vec<Result<(), Arc<Error>>>,
    /// References that the registry was asked for.
    pub lookups: u64,
    /// How many references turned out to be something other than a chart.
    pub not_charts: u64,
    /// How many references there was no time for.
    pub unfinished: u64,
    /// Chart rows that became available.
    pub added: u64,
    /// Chart rows that became unavailable.
    pub unavailable: u64,
    /// Chart rows that were written with an error: the chart is broken.
    pub broken: u64,
    /// Tags that are missing and not believed to be deleted yet.
    pub held: u64,
    /// The hints, by their position, whose reference turned out to be absent.
    pub absent: HashSet<usize>,
    /// The generation of the instance that wrote, if rows were written.
    pub generation: Option<i64>,
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
            unavailable: 0,
            broken: 0,
            held: 0,
            absent: HashSet::new(),
            generation: None,
        }
    }

    pub(super) fn take_changes(&mut self, applied: &Applied) {
        self.added += applied.available.len() as u64;
        self.broken += applied.broken;
        self.unavailable += applied.unavailable.len() as u64;
        self.generation = applied.generation.or(self.generation);
        for (subjects, outcome) in [
            (&applied.available, "chart available"),
            (&applied.unavailable, "chart no longer available"),
        ] {
            for Subject { registry, repository, reference } in subjects {
                info!(registry = registry.host(), %repository, tag = %reference, "{outcome}");
            }
        }
    }

    /// Notes a fault for every hint that led to these subjects.
    pub(super) fn fail<'a>(
        &mut self,
        pending: &Pending,
        subjects: impl IntoIterator<Item = &'a Subject>,
        error: Error,
    ) {
        let error = Arc::new(error);
        for hint in subjects.into_iter().flat_map(|subject| pending.hints(subject)) {
            if let Some(outcome) = self.outcomes.get_mut(hint) {
                *outcome = Err(Arc::clone(&error));
            }
        }
    }

    /// Notes that there was no time for a subject.
    pub(super) fn leave(&mut self, pending: &Pending, subject: &Subject) {
        self.unfinished += 1;
        self.fail(pending, [subject], Error::Unfinished { subject: subject.clone() });
    }

    /// Notes whether a subject is absent now: in a later round it may be there again.
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
    /// Whether giving the hint again will bring the same: the artifact is past a limit.
    #[must_use]
    pub fn is_beyond_limits(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_beyond_limits())
    }

    /// Whether the registry is to be left alone for the rest of the invocation.
    #[must_use]
    pub fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::Lookup { source, .. } if source.is_asked_to_wait())
    }
}
