//! Subjects as arrays. `unnest` turns them back into rows, so that one statement serves any number
//! of subjects.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::Subject;

/// The columns of a batch of subjects. Every array has one entry per subject.
#[derive(Default)]
pub(super) struct Subjects<'a> {
    pub(super) registry_hosts: Vec<&'a str>,
    pub(super) repo_names: Vec<&'a str>,
    pub(super) references: Vec<&'a str>,
    by_key: HashMap<(&'a str, &'a str, &'a str), &'a Subject>,
}

impl<'a> Subjects<'a> {
    pub(super) fn push(&mut self, subject: &'a Subject) {
        let key =
            (subject.registry.host(), subject.repository.as_str(), subject.reference.as_str());
        self.registry_hosts.push(key.0);
        self.repo_names.push(key.1);
        self.references.push(key.2);
        self.by_key.insert(key, subject);
    }

    /// Returns the subject of a row. Its first columns must be `registry_host`, `repo_name` and
    /// `reference`.
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

impl Database {
    /// Runs a statement as [`Database::query`] does, with the subjects as its parameters `$1` to
    /// `$3`. Sends no request without subjects.
    pub(super) async fn query_subjects(
        &self,
        what: &'static str,
        sql: &str,
        wanted: &Subjects<'_>,
    ) -> Result<Vec<Row>, Error> {
        if wanted.references.is_empty() {
            return Ok(Vec::new());
        }
        let parameters: Parameters<'_> = &[
            (&wanted.registry_hosts, Type::TEXT_ARRAY),
            (&wanted.repo_names, Type::TEXT_ARRAY),
            (&wanted.references, Type::TEXT_ARRAY),
        ];
        self.query(what, sql, parameters).await
    }
}
