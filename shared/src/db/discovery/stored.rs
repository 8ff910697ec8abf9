//! The stored side of the diff: what the database holds about subjects, tags and repositories.

use std::collections::HashMap;

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{CONTENTS_VERSION, Observation, Reference, Registry, Repository, Subject};

/// The stored observation of one subject. An available chart row without one counts as an old
/// observation of its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObservation {
    /// The digest that the subject resolved to; `None` if it was absent.
    pub digest: Option<String>,
    /// The time of the look.
    pub observed_at: OffsetDateTime,
    /// The time when the hold began, if the chart is held back.
    pub missing_since: Option<OffsetDateTime>,
    /// Whether the tag has an available chart row.
    pub is_available: bool,
    /// Whether that row has no contents, because an old version wrote it unread. Or they are
    /// incomplete, or the row has no observation.
    pub is_unopened: bool,
    /// Whether an earlier version of the program, or Platz, read the contents of that row. They are
    /// read again when there is time.
    pub is_outdated: bool,
}

/// The stored observations of some subjects, all read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredState {
    /// That moment by the database's clock.
    pub now: OffsetDateTime,
    /// The observations by subject. A subject that was never looked at has none.
    pub observations: HashMap<Subject, StoredObservation>,
}

/// A stamp in the future tells nothing, because the database's clock was ahead. It counts as older
/// than any look, and so does a row without an observation.
const OBSERVATIONS: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference,
    CASE WHEN stored.reference IS NULL THEN available.digest ELSE stored.digest END,
    CASE
        WHEN stored.reference IS NULL
            THEN CASE WHEN available.digest IS NOT NULL THEN timestamptz 'epoch' END
        WHEN stored.observed_at > clock_timestamp() THEN timestamptz 'epoch'
        ELSE stored.observed_at
    END,
    clock_timestamp(),
    CASE WHEN stored.missing_since <= clock_timestamp() THEN stored.missing_since END,
    CASE
        WHEN available.digest IS NOT NULL THEN available.is_unopened OR stored.reference IS NULL
    END,
    available.is_outdated
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
LEFT JOIN observations AS stored USING (registry_host, repo_name, reference)
CROSS JOIN LATERAL (
    SELECT min(chart.image_digest) AS digest,
        bool_or(
            (contents.digest IS NULL OR contents.is_incomplete)
            AND NOT coalesce(detail.adopted, false)
        ) AS is_unopened,
        bool_or(coalesce(contents.contents_version, 0) < $4) AS is_outdated
    FROM helm_registries AS registry
    JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
    LEFT JOIN helm_chart_contents AS contents ON contents.digest = chart.image_digest
    LEFT JOIN helm_chart_details AS detail ON detail.chart_id = chart.id
    WHERE registry_host(registry.domain_name) = wanted.registry_host
        AND registry.repo_name = wanted.repo_name
        AND chart.image_tag = wanted.reference
        AND chart.available
) AS available";

/// References without a colon are tags. Every digest contains a colon.
const REPOSITORIES_WITH_TAGS: &str = "\
SELECT DISTINCT repo_name
FROM observations
WHERE registry_host = $1 AND digest IS NOT NULL AND strpos(reference, ':') = 0
ORDER BY repo_name";

impl Database {
    /// Returns the stored observations of subjects, in one round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn load(
        &self,
        subjects: impl IntoIterator<Item = &Subject>,
    ) -> Result<StoredState, Error> {
        let what = "read the stored observations";
        let wanted: Subjects<'_> = subjects.into_iter().collect();
        if wanted.references.is_empty() {
            return Ok(StoredState::default());
        }
        let parameters: Parameters<'_> = &[
            (&wanted.registry_hosts, Type::TEXT_ARRAY),
            (&wanted.repo_names, Type::TEXT_ARRAY),
            (&wanted.references, Type::TEXT_ARRAY),
            (&CONTENTS_VERSION, Type::INT2),
        ];
        let rows = self.query(what, OBSERVATIONS, parameters).await?;
        let unreadable = |source| Error::Query { what, source };
        let mut stored = StoredState::default();
        for row in &rows {
            stored.now = row.try_get(5).map_err(unreadable)?;
            let observed_at: Option<OffsetDateTime> = row.try_get(4).map_err(unreadable)?;
            if let (Some(subject), Some(observed_at)) = (wanted.of_row(row), observed_at) {
                let is_unopened: Option<bool> = row.try_get(7).map_err(unreadable)?;
                let is_outdated: Option<bool> = row.try_get(8).map_err(unreadable)?;
                let observation = StoredObservation {
                    digest: row.try_get(3).map_err(unreadable)?,
                    observed_at,
                    missing_since: row.try_get(6).map_err(unreadable)?,
                    is_available: is_unopened.is_some(),
                    is_unopened: is_unopened.unwrap_or_default(),
                    is_outdated: is_outdated.unwrap_or_default(),
                };
                stored.observations.insert(subject.clone(), observation);
            }
        }
        Ok(stored)
    }

    /// Lists the repositories of a registry in which at least one tag resolved to a manifest at its
    /// last look. The database sorts them.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_repositories(&self, registry: &Registry) -> Result<Vec<Repository>, Error> {
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let rows =
            self.query("list the known repositories", REPOSITORIES_WITH_TAGS, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }
}

impl Default for StoredState {
    fn default() -> Self {
        Self { now: OffsetDateTime::UNIX_EPOCH, observations: HashMap::new() }
    }
}

impl StoredState {
    /// Returns whether a subject has an available chart row.
    #[must_use]
    pub fn is_available(&self, subject: &Subject) -> bool {
        self.observations.get(subject).is_some_and(|known| known.is_available)
    }

    /// Returns whether an observation takes the chart away from a tag that has an available one.
    #[must_use]
    pub fn loses_chart(&self, observation: &Observation) -> bool {
        !observation.resolution.is_chart() && self.is_available(&observation.subject)
    }

    /// Returns the stored observation of another reference in the same repository.
    #[must_use]
    pub fn beside(&self, subject: &Subject, reference: Reference) -> Option<&StoredObservation> {
        let beside = Subject { reference, ..subject.clone() };
        self.observations.get(&beside)
    }
}
