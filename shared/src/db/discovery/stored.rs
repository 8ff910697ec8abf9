//! What is stored about the subjects of a batch: the one side of the diff.

use std::collections::HashMap;

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Reference, Registry, Repository, Subject, Tag};

/// The stored observation of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObservation {
    /// What it resolved to; `None`: it was absent.
    pub digest: Option<String>,
    /// When it was looked at.
    pub observed_at: OffsetDateTime,
    /// Since when it has been missing from listings that were not believed.
    pub missing_since: Option<OffsetDateTime>,
    /// Whether a chart row of the tag is available.
    pub is_available: bool,
    /// Whether nobody has looked into that chart: the version that wrote the row did not.
    pub is_unopened: bool,
}

/// What is stored about some subjects, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredState {
    /// That moment, by the database's clock.
    pub now: OffsetDateTime,
    /// By subject; a subject never looked at is not in it.
    pub observations: HashMap<Subject, StoredObservation>,
}

/// What is known of a tag of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTag {
    /// Whether it resolved to something, chart or not.
    pub is_present: bool,
    /// When it was looked at.
    pub observed_at: OffsetDateTime,
    /// When it was first seen to resolve to this, or to be absent.
    pub changed_at: OffsetDateTime,
    /// Since when it has been missing from listings that were not believed.
    pub missing_since: Option<OffsetDateTime>,
}

/// The tags of some repositories that were looked at before.
pub type KnownTags = HashMap<Repository, HashMap<Tag, KnownTag>>;

const OBSERVATIONS: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference, stored.digest, \
stored.observed_at, clock_timestamp(),
    stored.missing_since,
    (
        SELECT chart.chart_name IS NULL AND chart.error IS NULL
        FROM helm_registries AS registry
        JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
        WHERE registry.registry_host = wanted.registry_host
            AND registry.repo_name = wanted.repo_name
            AND chart.image_tag = wanted.reference
            AND chart.available
    )
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
LEFT JOIN observations AS stored USING (registry_host, repo_name, reference)";

/// Only a digest has a colon.
const TAGS_OF_REPOSITORIES: &str = "\
SELECT repo_name, reference, digest IS NOT NULL, observed_at, missing_since, changed_at
FROM observations
WHERE registry_host = $1 AND repo_name = ANY ($2) AND strpos(reference, ':') = 0";

const REPOSITORIES_WITH_TAGS: &str = "\
SELECT DISTINCT repo_name
FROM observations
WHERE registry_host = $1 AND digest IS NOT NULL AND strpos(reference, ':') = 0
ORDER BY repo_name";

impl Database {
    /// What is stored about these subjects. One round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn load(
        &self,
        subjects: impl IntoIterator<Item = &Subject>,
    ) -> Result<StoredState, Error> {
        let what = "tell what it knows";
        let wanted: Subjects<'_> = subjects.into_iter().collect();
        let rows = self.query_subjects(what, OBSERVATIONS, &wanted).await?;
        let unreadable = |source| Error::Query { what, source };
        let mut stored =
            StoredState { now: OffsetDateTime::UNIX_EPOCH, observations: HashMap::new() };
        for row in &rows {
            stored.now = row.try_get(5).map_err(unreadable)?;
            let observed_at: Option<OffsetDateTime> = row.try_get(4).map_err(unreadable)?;
            if let (Some(subject), Some(observed_at)) = (wanted.of_row(row), observed_at) {
                let is_unopened: Option<bool> = row.try_get(7).map_err(unreadable)?;
                let observation = StoredObservation {
                    digest: row.try_get(3).map_err(unreadable)?,
                    observed_at,
                    missing_since: row.try_get(6).map_err(unreadable)?,
                    is_available: is_unopened.is_some(),
                    is_unopened: is_unopened.unwrap_or_default(),
                };
                stored.observations.insert(subject.clone(), observation);
            }
        }
        Ok(stored)
    }

    /// The tags of some repositories that were looked at before, found or not, chart or not. One
    /// round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_tags(
        &self,
        registry: &Registry,
        repositories: &[Repository],
    ) -> Result<KnownTags, Error> {
        let what = "tell which tags it knows";
        let names: Vec<&str> = repositories.iter().map(Repository::as_str).collect();
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let rows = self.query(what, TAGS_OF_REPOSITORIES, parameters).await?;
        let mut known = KnownTags::new();
        for row in rows {
            let unreadable = |source| Error::Query { what, source };
            let repository: &str = row.try_get(0).map_err(unreadable)?;
            let reference: &str = row.try_get(1).map_err(unreadable)?;
            let tag = KnownTag {
                is_present: row.try_get(2).map_err(unreadable)?,
                observed_at: row.try_get(3).map_err(unreadable)?,
                missing_since: row.try_get(4).map_err(unreadable)?,
                changed_at: row.try_get(5).map_err(unreadable)?,
            };
            if let (Ok(repository), Ok(reference)) = (repository.parse(), reference.parse()) {
                known.entry(repository).or_default().insert(reference, tag);
            }
        }
        Ok(known)
    }

    /// The repositories of a registry in which some tag was last seen to resolve to something,
    /// sorted by the database.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_repositories(&self, registry: &Registry) -> Result<Vec<Repository>, Error> {
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let rows = self
            .query("tell which repositories it knows", REPOSITORIES_WITH_TAGS, parameters)
            .await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }
}

impl StoredState {
    /// The stored observation of another reference in the same repository.
    #[must_use]
    pub fn beside(&self, subject: &Subject, reference: Reference) -> Option<&StoredObservation> {
        let beside = Subject { reference, ..subject.clone() };
        self.observations.get(&beside)
    }
}
