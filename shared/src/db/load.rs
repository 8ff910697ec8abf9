//! What is stored about the subjects of a batch: the one side of the diff.

use std::collections::HashMap;

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::batch::Subjects;
use super::{Database, Error};
use crate::domain::{Reference, Registry, Repository, Subject, Tag};

/// The stored observation of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObservation {
    /// What it resolved to; `None`: it was absent.
    pub digest: Option<String>,
    /// When it was looked at.
    pub observed_at: OffsetDateTime,
}

/// What is stored about some subjects, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// That moment, by the database's clock.
    pub now: OffsetDateTime,
    /// By subject; a subject never looked at is not in it.
    pub observations: HashMap<Subject, StoredObservation>,
}

const OBSERVATIONS: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference, stored.digest, stored.observed_at, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
LEFT JOIN observations AS stored USING (registry_host, repo_name, reference)";

const TAGS_OF_REPOSITORIES: &str = "\
SELECT repo_name, reference
FROM observations
WHERE registry_host = $1 AND repo_name = ANY ($2) AND digest IS NOT NULL";

impl Database {
    /// What is stored about these subjects. One round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn load(&self, subjects: impl IntoIterator<Item = &Subject>) -> Result<Stored, Error> {
        let what = "tell what it knows";
        let wanted: Subjects<'_> = subjects.into_iter().collect();
        let rows = self.query_subjects(what, OBSERVATIONS, &wanted).await?;
        let unreadable = |source| Error::Query { what, source };
        let mut stored = Stored { now: OffsetDateTime::UNIX_EPOCH, observations: HashMap::new() };
        for row in &rows {
            stored.now = row.try_get(5).map_err(unreadable)?;
            let observed_at: Option<OffsetDateTime> = row.try_get(4).map_err(unreadable)?;
            if let (Some(subject), Some(observed_at)) = (wanted.of_row(row), observed_at) {
                let digest = row.try_get(3).map_err(unreadable)?;
                stored.observations.insert(subject.clone(), StoredObservation { digest, observed_at });
            }
        }
        Ok(stored)
    }

    /// The tags of some repositories that were looked at before and found, chart or not. One round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_tags(
        &self,
        registry: &Registry,
        repositories: &[Repository],
    ) -> Result<HashMap<Repository, Vec<Tag>>, Error> {
        let what = "tell which tags it knows";
        let names: Vec<&str> = repositories.iter().map(Repository::as_str).collect();
        let parameters: super::connection::Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let rows = self.query(what, TAGS_OF_REPOSITORIES, parameters).await?;
        let mut known: HashMap<Repository, Vec<Tag>> = HashMap::new();
        for row in rows {
            let unreadable = |source| Error::Query { what, source };
            let repository: &str = row.try_get(0).map_err(unreadable)?;
            let reference: &str = row.try_get(1).map_err(unreadable)?;
            if let (Ok(repository), Ok(tag)) = (repository.parse(), reference.parse()) {
                known.entry(repository).or_default().push(tag);
            }
        }
        Ok(known)
    }
}

impl Stored {
    /// The stored observation of another reference in the same repository.
    #[must_use]
    pub fn beside(&self, subject: &Subject, reference: Reference) -> Option<&StoredObservation> {
        let beside = Subject { reference, ..subject.clone() };
        self.observations.get(&beside)
    }
}
