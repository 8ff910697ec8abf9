//! Charts that are missing but held back: how many there are, and since when.

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::apply::Writer;
use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Selection, Subject};

/// The numbers that reveal a mass disappearance in an instance.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    /// The number of available charts.
    pub available: u64,
    /// The number of charts that were lost within the last hour, whatever their tag resolves to.
    pub lately_gone: u64,
}

/// A chart is gone when its tag resolves to something else than a chart, or to nothing.
const POPULATION: &str = "\
SELECT registry.repo_name, count(*), 0::bigint
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1 AND chart.available
GROUP BY registry.repo_name
UNION ALL
SELECT gone.repo_name, 0::bigint, count(*)
FROM (
    SELECT seen.repo_name, seen.reference
    FROM observations AS seen
    JOIN helm_registries AS registry
        ON registry_host(registry.domain_name) = seen.registry_host
        AND registry.repo_name = seen.repo_name
    JOIN helm_charts AS chart
        ON chart.helm_registry_id = registry.id AND chart.image_tag = seen.reference
    WHERE seen.registry_host = $1
        AND seen.changed_at > clock_timestamp() - interval '1 hour'
        AND seen.changed_at <= clock_timestamp()
    GROUP BY seen.repo_name, seen.reference
    HAVING NOT bool_or(chart.available)
) AS gone
GROUP BY gone.repo_name";

/// Raises the generation of the instance that writes, and notes the repositories, if the statement
/// changed a row.
macro_rules! raise_generation {
    () => {
        ", raised AS (
    INSERT INTO discovery_instances AS instance (name, generation)
    SELECT $5, 1
    WHERE $5 IS NOT NULL AND EXISTS (SELECT FROM changed)
    ON CONFLICT (name) DO UPDATE
    SET generation = instance.generation + 1
    RETURNING instance.generation
), noted AS (
    INSERT INTO instance_changes (instance, generation, repo_name)
    SELECT DISTINCT $5, raised.generation, changed.repo_name
    FROM raised
    CROSS JOIN changed
    WHERE $6
    ON CONFLICT DO NOTHING
)
SELECT generation FROM raised"
    };
}

/// A tag that was missing before keeps its time. A tag with a newer observation is not missing. A
/// stamp in the future counts as none.
const HOLD: &str = concat!(
    "\
WITH changed AS (
    UPDATE observations AS stored
    SET missing_since = $4
    FROM unnest($1::text[], $2::text[], $3::text[]) AS missing (registry_host, repo_name, reference)
    WHERE stored.registry_host = missing.registry_host
        AND stored.repo_name = missing.repo_name
        AND stored.reference = missing.reference
        AND (stored.missing_since IS NULL OR stored.missing_since > clock_timestamp())
        AND (stored.observed_at <= $4 OR stored.observed_at > clock_timestamp())
    RETURNING stored.repo_name
)",
    raise_generation!()
);

/// Keeps the digest, which the next look is compared with.
const STILL_MISSING: &str = concat!(
    "\
WITH changed AS (
    UPDATE observations AS stored
    SET observed_at = $4
    FROM unnest($1::text[], $2::text[], $3::text[]) AS missing (registry_host, repo_name, reference)
    WHERE stored.registry_host = missing.registry_host
        AND stored.repo_name = missing.repo_name
        AND stored.reference = missing.reference
        AND stored.missing_since <= $4
        AND stored.observed_at < $4
    RETURNING stored.repo_name
)",
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
        AND (stored.observed_at < $4 OR stored.observed_at > clock_timestamp())
    RETURNING stored.repo_name
)",
    raise_generation!()
);

impl Database {
    /// Counts the available charts of an instance, and those that were lost within the last hour.
    /// The instance has the repositories of a registry that `selection` has, or all of them.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn population(
        &self,
        registry: &Registry,
        selection: Option<&Selection>,
    ) -> Result<Population, Error> {
        let what = "count the charts";
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let rows = self.query(what, POPULATION, parameters).await?;
        let unreadable = |source| Error::Query { what, source };
        let mut population = Population::default();
        for row in &rows {
            let name: &str = row.try_get(0).map_err(unreadable)?;
            let is_followed = selection.is_none_or(|selection| {
                name.parse().is_ok_and(|repository| selection.has(&repository))
            });
            if is_followed {
                let count = |index| -> Result<u64, tokio_postgres::Error> {
                    let count: i64 = row.try_get(index)?;
                    Ok(u64::try_from(count).unwrap_or_default())
                };
                population.available += count(1).map_err(unreadable)?;
                population.lately_gone += count(2).map_err(unreadable)?;
            }
        }
        Ok(population)
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
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        self.mark("mark the missing tags", HOLD, tags.into_iter().collect(), at, writer).await
    }

    /// Notes that tags were still missing at the time `at`, so that the next look is not due at
    /// once. Returns the new generation of the instance if a row changed. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_still_missing<'a>(
        &self,
        tags: impl IntoIterator<Item = &'a Subject>,
        at: OffsetDateTime,
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        let what = "mark the tags that are still missing";
        self.mark(what, STILL_MISSING, tags.into_iter().collect(), at, writer).await
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
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        let what = "mark the confirmed tags";
        self.mark(what, CONFIRM, tags.into_iter().collect(), at, writer).await
    }

    async fn mark(
        &self,
        what: &'static str,
        sql: &str,
        tags: Subjects<'_>,
        at: OffsetDateTime,
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        if tags.references.is_empty() {
            return Ok(None);
        }
        let parameters: Parameters<'_> = &[
            (&tags.registry_hosts, Type::TEXT_ARRAY),
            (&tags.repo_names, Type::TEXT_ARRAY),
            (&tags.references, Type::TEXT_ARRAY),
            (&at, Type::TIMESTAMPTZ),
            (&writer.instance, Type::TEXT),
            (&writer.notes_changes, Type::BOOL),
        ];
        let rows = self.query(what, sql, parameters).await?;
        let generation = rows.first().map(|row| row.try_get(0)).transpose();
        generation.map_err(|source| Error::Query { what, source })
    }
}
