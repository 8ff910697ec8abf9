//! Batches as arrays: what `unnest` turns back into rows, so that any number of subjects is one statement.

use std::collections::HashMap;

use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::domain::{Observation, Reference, Resolution, Subject};

/// The columns of a batch of subjects.
#[derive(Default)]
pub(super) struct Subjects<'a> {
    pub(super) registry_hosts: Vec<&'a str>,
    pub(super) repo_names: Vec<&'a str>,
    pub(super) references: Vec<&'a str>,
    by_key: HashMap<(&'a str, &'a str, &'a str), &'a Subject>,
}

/// The columns of a batch of observations.
#[derive(Default)]
pub(super) struct Observations<'a> {
    pub(super) subjects: Subjects<'a>,
    pub(super) domain_names: Vec<&'a str>,
    pub(super) providers: Vec<&'a str>,
    pub(super) digests: Vec<Option<&'a str>>,
    pub(super) observed_at: Vec<OffsetDateTime>,
    pub(super) are_charts: Vec<bool>,
    pub(super) created_at: Vec<Option<OffsetDateTime>>,
}

impl<'a> Subjects<'a> {
    fn push(&mut self, subject: &'a Subject) {
        let key = (subject.registry.host(), subject.repository.as_str(), subject.reference.as_str());
        self.registry_hosts.push(key.0);
        self.repo_names.push(key.1);
        self.references.push(key.2);
        self.by_key.insert(key, subject);
    }

    /// The subject that a row with the columns `registry_host`, `repo_name` and `reference`, in this order, speaks of.
    pub(super) fn of_row(&self, row: &Row) -> Option<&'a Subject> {
        let column = |index: usize| row.try_get::<_, &str>(index).ok();
        self.by_key.get(&(column(0)?, column(1)?, column(2)?)).copied()
    }
}

impl<'a> FromIterator<&'a Subject> for Subjects<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Subject>>(subjects: I) -> Self {
        let mut batch = Self::default();
        subjects.into_iter().for_each(|subject| batch.push(subject));
        batch
    }
}

impl<'a> FromIterator<&'a Observation> for Observations<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Observation>>(observations: I) -> Self {
        let mut batch = Self::default();
        for observation in observations {
            let subject = &observation.subject;
            batch.subjects.push(subject);
            batch.domain_names.push(subject.registry.domain_name().as_str());
            batch.providers.push(subject.registry.provider().as_str());
            batch.digests.push(observation.resolution.digest().map(crate::domain::Digest::as_str));
            batch.observed_at.push(observation.observed_at);
            // Rows are of tags. A chart that was asked for by its digest is one, and makes no row.
            let (is_chart, created_at) = match (&subject.reference, &observation.resolution) {
                (Reference::Tag(_), Resolution::Chart { created_at, .. }) => (true, *created_at),
                _ => (false, None),
            };
            batch.are_charts.push(is_chart);
            batch.created_at.push(created_at);
        }
        batch
    }
}
