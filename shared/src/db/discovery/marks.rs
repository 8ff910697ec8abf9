//! Marks of tags that are missing: they are held back, still missing, or there again.

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::apply::Writer;
use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::Subject;

/// What a mark says about tags that the registry did not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// They are missing, and held back from now on. A tag that was missing before keeps its time,
    /// and a tag with a newer observation is not missing.
    Missing,
    /// They are still missing after their hold, so that the next look is not due at once. The
    /// digest stays, because the next look is compared with it.
    StillMissing,
    /// Their hold begins again. A tag whose mark was cleared meanwhile stays without one.
    HeldAgain,
}

/// Gives a tag an observation if its row has none, because an import, a backup or a person made the
/// row. It has the date that an adoption gives, so that any look is newer.
const ADOPT: &str = "\
INSERT INTO observations (registry_host, repo_name, reference, digest, observed_at, changed_at)
SELECT given.registry_host, given.repo_name, given.reference,
    CASE
        WHEN count(DISTINCT chart.image_digest) > 1 THEN 'several'
        ELSE min(chart.image_digest)
    END,
    timestamptz '2000-01-01 00:00:00Z', timestamptz '2000-01-01 00:00:00Z'
FROM unnest($1::text[], $2::text[], $3::text[]) AS given (registry_host, repo_name, reference)
JOIN helm_registries AS registry
    ON registry_host(registry.domain_name) = given.registry_host
    AND registry.repo_name = given.repo_name
JOIN helm_charts AS chart
    ON chart.helm_registry_id = registry.id AND chart.image_tag = given.reference
WHERE chart.available
    AND NOT EXISTS (
        SELECT FROM observations AS stored
        WHERE stored.registry_host = given.registry_host
            AND stored.repo_name = given.repo_name
            AND stored.reference = given.reference
    )
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING";

/// A tag is present if it resolves to the digest that is stored. A newer observation or mark stays.
///
/// Locks the observations in the order of the writer of observations, and the instance after all of
/// them, so that no two writers deadlock. A stamp in the future counts as none. Raises the
/// generation of the instance that writes, and notes the repositories, if a row changed.
const MARK: &str = "\
WITH locked AS (
    SELECT stored.registry_host, stored.repo_name, stored.reference, given.digest
    FROM unnest($1::text[], $2::text[], $3::text[], $8::text[])
        AS given (registry_host, repo_name, reference, digest)
    JOIN observations AS stored USING (registry_host, repo_name, reference)
    ORDER BY stored.registry_host, stored.repo_name, stored.reference
    FOR UPDATE OF stored
), changed AS (
    UPDATE observations AS stored
    SET missing_since = CASE $5
            WHEN 'present' THEN CASE
                WHEN stored.missing_since > $4 AND stored.missing_since <= clock_timestamp()
                    THEN stored.missing_since
            END
            WHEN 'still missing' THEN stored.missing_since
            ELSE $4
        END,
        observed_at = CASE
            WHEN $5 IN ('present', 'still missing') THEN $4
            ELSE stored.observed_at
        END
    FROM locked
    WHERE stored.registry_host = locked.registry_host
        AND stored.repo_name = locked.repo_name
        AND stored.reference = locked.reference
        AND CASE $5
            WHEN 'missing' THEN
                (stored.missing_since IS NULL OR stored.missing_since > clock_timestamp())
                AND (stored.observed_at <= $4 OR stored.observed_at > clock_timestamp())
            WHEN 'still missing' THEN stored.missing_since <= $4 AND stored.observed_at < $4
            WHEN 'present' THEN
                (stored.observed_at < $4 OR stored.observed_at > clock_timestamp())
                AND stored.digest = locked.digest
            WHEN 'held again' THEN stored.missing_since IS NOT NULL
        END
    RETURNING stored.repo_name
), raised AS (
    INSERT INTO discovery_instances AS instance (name, generation)
    SELECT $6, 1
    WHERE $6 IS NOT NULL AND (SELECT count(*) FROM changed) > 0
    ON CONFLICT (name) DO UPDATE
    SET generation = instance.generation + 1
    RETURNING instance.generation
), noted AS (
    INSERT INTO instance_changes (instance, generation, repo_name)
    SELECT DISTINCT $6, raised.generation, changed.repo_name
    FROM raised
    CROSS JOIN changed
    WHERE $7
    ON CONFLICT DO NOTHING
)
SELECT generation FROM raised";

impl Database {
    /// Marks tags as missing, or as still missing. `at` is the time when the registry was asked,
    /// or for [`Mark::HeldAgain`] the time from which the hold counts. Returns the new generation
    /// of the instance if a row changed. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn mark<'a>(
        &self,
        mark: Mark,
        tags: impl IntoIterator<Item = &'a Subject>,
        at: OffsetDateTime,
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        self.write_mark(mark.as_str(), &tags.into_iter().collect(), &[], at, writer).await
    }

    /// Marks tags as present, each with the digest to which it resolved at the time `at`. Returns
    /// the new generation of the instance if a row changed. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn confirm<'a>(
        &self,
        tags: impl IntoIterator<Item = (&'a Subject, &'a str)>,
        at: OffsetDateTime,
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        let (tags, digests): (Vec<&Subject>, Vec<&str>) = tags.into_iter().unzip();
        let tags: Subjects<'_> = tags.into_iter().collect();
        self.write_mark("present", &tags, &digests, at, writer).await
    }

    async fn write_mark(
        &self,
        mark: &str,
        tags: &Subjects<'_>,
        digests: &[&str],
        at: OffsetDateTime,
        writer: Writer<'_>,
    ) -> Result<Option<i64>, Error> {
        let what = "mark the tags";
        if tags.references.is_empty() {
            return Ok(None);
        }
        let parameters: Parameters<'_> = &[
            (&tags.registry_hosts, Type::TEXT_ARRAY),
            (&tags.repo_names, Type::TEXT_ARRAY),
            (&tags.references, Type::TEXT_ARRAY),
            (&at, Type::TIMESTAMPTZ),
            (&mark, Type::TEXT),
            (&writer.instance, Type::TEXT),
            (&writer.notes_changes, Type::BOOL),
            (&digests, Type::TEXT_ARRAY),
        ];
        let keys = parameters.get(..3).unwrap_or_default();
        let both = [(ADOPT, keys), (MARK, parameters)];
        let statements = if mark == Mark::Missing.as_str() { &both[..] } else { &both[1..] };
        let answers = self.query_all(what, statements).await?;
        let row = answers.last().and_then(|rows| rows.first());
        let generation = row.map(|row| row.try_get(0)).transpose();
        generation.map_err(|source| Error::Query { what, source })
    }
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::StillMissing => "still missing",
            Self::HeldAgain => "held again",
        }
    }
}
