//! Charts that are missing but held back: how many there are, and since when.

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Subject};

/// The numbers that reveal a mass disappearance in a registry.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    /// The number of available charts.
    pub available: u64,
    /// The number of charts whose tag became absent within the last hour.
    pub lately_gone: u64,
}

const POPULATION: &str = "\
SELECT
    (
        SELECT count(*)
        FROM helm_charts AS chart
        JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
        WHERE registry_host(registry.domain_name) = $1 AND chart.available
    ),
    (
        SELECT count(*)
        FROM observations AS seen
        WHERE seen.registry_host = $1
            AND seen.digest IS NULL
            AND seen.changed_at > clock_timestamp() - interval '1 hour'
            AND EXISTS (
                SELECT FROM helm_registries AS registry
                JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
                WHERE registry_host(registry.domain_name) = seen.registry_host
                    AND registry.repo_name = seen.repo_name
                    AND chart.image_tag = seen.reference
            )
    )";

/// Raises the generation of the instance that writes, if the statement changed a row.
macro_rules! raise_generation {
    () => {
        "INSERT INTO discovery_instances AS instance (name, generation)
SELECT $5, 1
WHERE EXISTS (SELECT FROM changed)
ON CONFLICT (name) DO UPDATE
SET generation = instance.generation + 1
RETURNING instance.generation"
    };
}

/// A tag that was missing before keeps its time. A tag with a newer observation is not missing.
const HOLD: &str = concat!(
    "\
WITH changed AS (
    UPDATE observations AS stored
    SET missing_since = $4
    FROM unnest($1::text[], $2::text[], $3::text[]) AS missing (registry_host, repo_name, reference)
    WHERE stored.registry_host = missing.registry_host
        AND stored.repo_name = missing.repo_name
        AND stored.reference = missing.reference
        AND stored.missing_since IS NULL
        AND stored.observed_at <= $4
    RETURNING stored.reference
)
",
    raise_generation!()
);

/// Changes only tags whose observation is older.
const CONFIRM: &str = concat!(
    "\
WITH changed AS (
    UPDATE observations AS stored
    SET missing_since = NULL,
        observed_at = $4
    FROM unnest($1::text[], $2::text[], $3::text[]) AS seen (registry_host, repo_name, reference)
    WHERE stored.registry_host = seen.registry_host
        AND stored.repo_name = seen.repo_name
        AND stored.reference = seen.reference
        AND stored.observed_at < $4
    RETURNING stored.reference
)
",
    raise_generation!()
);

impl Database {
    /// Counts the available charts of a registry, and those that went missing within the last hour.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn population(&self, registry: &Registry) -> Result<Population, Error> {
        let what = "count the charts";
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let rows = self.query(what, POPULATION, parameters).await?;
        let count = |index| {
            let count: Option<i64> = rows.first().map(|row| row.try_get(index)).transpose()?;
            Ok(u64::try_from(count.unwrap_or_default()).unwrap_or_default())
        };
        let unreadable = |source| Error::Query { what, source };
        Ok(Population {
            available: count(0).map_err(unreadable)?,
            lately_gone: count(1).map_err(unreadable)?,
        })
    }

    /// Marks tags as missing since `at`, the time when the registry was asked. Returns the new
    /// generation of the instance if a row changed. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn hold<'a>(
        &self,
        tags: impl IntoIterator<Item = &'a Subject>,
        at: OffsetDateTime,
        instance: &str,
    ) -> Result<Option<i64>, Error> {
        self.mark("mark the missing tags", HOLD, tags.into_iter().collect(), at, instance).await
    }

    /// Marks tags as not missing, because at the time `at` they still resolved to the same digest.
    /// Returns the new generation of the instance if a row changed. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn confirm<'a>(
        &self,
        tags: impl IntoIterator<Item = &'a Subject>,
        at: OffsetDateTime,
        instance: &str,
    ) -> Result<Option<i64>, Error> {
        self.mark("mark the confirmed tags", CONFIRM, tags.into_iter().collect(), at, instance)
            .await
    }

    async fn mark(
        &self,
        what: &'static str,
        sql: &str,
        tags: Subjects<'_>,
        at: OffsetDateTime,
        instance: &str,
    ) -> Result<Option<i64>, Error> {
        if tags.references.is_empty() {
            return Ok(None);
        }
        let parameters: Parameters<'_> = &[
            (&tags.registry_hosts, Type::TEXT_ARRAY),
            (&tags.repo_names, Type::TEXT_ARRAY),
            (&tags.references, Type::TEXT_ARRAY),
            (&at, Type::TIMESTAMPTZ),
            (&instance, Type::TEXT),
        ];
        let rows = self.query(what, sql, parameters).await?;
        let generation = rows.first().map(|row| row.try_get(0)).transpose();
        generation.map_err(|source| Error::Query { what, source })
    }
}
