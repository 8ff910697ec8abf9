//! Orphans: the rows of a registry that no instance watches any more.

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::known_instances::{KnownInstance, KnownInstances};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{DomainName, Registry, Repository};

/// The most rows that one statement changes, so that it stays short.
const ROWS_MAX: i64 = 5000;

/// A registry with available charts that no live instance watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanedRegistry {
    /// The registry as its rows name it.
    pub domain_name: String,
    /// The number of its available charts.
    pub charts: i64,
    /// The instances that watched it and are gone.
    pub instances: Vec<String>,
}

/// The rows that one step ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct EndedOrphans {
    /// Charts that became unavailable.
    pub charts: u64,
    /// Whether nothing is left.
    pub is_done: bool,
}

/// Raises the generation of the instances `$4`, or of all that poll. Notes the repository `$3`, so
/// that a cursor compares only its list again.
macro_rules! raise_generations {
    ($changed:literal) => {
        concat!(
            ", raised AS (
    UPDATE discovery_instances
    SET generation = generation + 1
    WHERE CASE WHEN $4::text[] IS NULL THEN provider = 'oci' ELSE name = ANY ($4) END
        AND EXISTS (SELECT FROM ",
            $changed,
            ")
    RETURNING name, generation
), noted AS (
    INSERT INTO instance_changes (instance, generation, repo_name)
    SELECT name, generation, $3
    FROM raised
    WHERE $3 IS NOT NULL
    ON CONFLICT DO NOTHING
)
"
        )
    };
}

/// Ends a tag's chart, forgets the tag, and puts the cursors behind, in one statement. A tag that
/// is known although its chart has ended would not be read again, nor would a list that a cursor
/// knows. Locks in the order of the writers.
const END_KNOWN: &str = concat!(
    "\
WITH forgotten AS (
    DELETE FROM observations AS seen
    USING (
        SELECT repo_name, reference
        FROM observations
        WHERE registry_host = $1 AND ($3::text IS NULL OR repo_name = $3)
        ORDER BY repo_name, reference
        LIMIT $2
        FOR UPDATE
    ) AS page
    WHERE seen.registry_host = $1
        AND seen.repo_name = page.repo_name
        AND seen.reference = page.reference
    RETURNING seen.repo_name, seen.reference
), ended AS (
    UPDATE helm_charts AS chart
    SET available = false
    FROM forgotten
    JOIN helm_registries AS registry
        ON registry_host(registry.domain_name) = $1 AND registry.repo_name = forgotten.repo_name
    WHERE chart.helm_registry_id = registry.id
        AND chart.image_tag = forgotten.reference
        AND chart.available
    RETURNING chart.id
)",
    raise_generations!("forgotten"),
    "SELECT (SELECT count(*) FROM forgotten), (SELECT count(*) FROM ended)"
);

/// Ends charts of tags that are not known. Locks rows in key order, because a writer may hold some
/// of them.
const END_UNKNOWN: &str = concat!(
    "\
WITH ended AS (
    UPDATE helm_charts
    SET available = false
    WHERE id = ANY (
        ARRAY(
            SELECT chart.id
            FROM helm_registries AS registry
            JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
            WHERE registry_host(registry.domain_name) = $1
                AND ($3::text IS NULL OR registry.repo_name = $3)
                AND chart.available
                AND NOT EXISTS (
                    SELECT
                    FROM observations AS seen
                    WHERE seen.registry_host = $1
                        AND seen.repo_name = registry.repo_name
                        AND seen.reference = chart.image_tag
                )
            ORDER BY chart.id
            LIMIT $2
            FOR UPDATE OF chart
        )
    )
    RETURNING id
)",
    raise_generations!("ended"),
    "SELECT id FROM ended"
);

const FORGET_FAULTS: &str = "\
DELETE FROM reference_faults WHERE registry_host = $1 OR instance = ANY ($2)";

const FORGET_SEEN: &str = "\
DELETE FROM seen_repositories WHERE registry_host = $1 OR instance = ANY ($2)";

const FORGET_CHANGES: &str = "DELETE FROM instance_changes WHERE instance = ANY ($1)";

/// Keeps an instance that has started since it was read.
const FORGET_INSTANCES: &str = "\
DELETE FROM discovery_instances AS known
USING unnest($1::text[], $2::timestamptz[]) AS gone (name, seen_at)
WHERE known.name = gone.name
    AND greatest(last_invoked_at, last_started_at, last_event_at) = gone.seen_at";

const DOMAINS: &str = "SELECT DISTINCT domain_name FROM helm_registries ORDER BY 1";

const COUNT: &str = "\
SELECT registry.domain_name, count(*)
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry.domain_name = ANY ($1) AND chart.available
GROUP BY registry.domain_name
ORDER BY registry.domain_name";

impl Database {
    /// Lists the registries with available charts that no live instance watches.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn orphans(&self, known: &KnownInstances) -> Result<Vec<OrphanedRegistry>, Error> {
        let what = "list the orphans";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, DOMAINS, &[]).await?;
        let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>();
        let is_orphaned = |name: &&str| {
            let registry = name.parse().map(|name: DomainName| Registry::named(name));
            registry.is_ok_and(|registry| known.live_at(&registry).is_none())
        };
        let orphaned: Vec<&str> =
            names.map_err(unreadable)?.into_iter().filter(is_orphaned).collect();
        if orphaned.is_empty() {
            return Ok(Vec::new());
        }
        let counted = self.query(what, COUNT, &[(&orphaned, Type::TEXT_ARRAY)]).await?;
        let orphan = |row: &tokio_postgres::Row| {
            let domain_name: String = row.try_get(0)?;
            let registry = domain_name.parse().map(|name: DomainName| Registry::named(name));
            let gone = registry.iter().flat_map(|registry| known.gone_from(registry));
            let instances = gone.map(|gone| gone.name.clone()).collect();
            Ok(OrphanedRegistry { domain_name, charts: row.try_get(1)?, instances })
        };
        counted.iter().map(orphan).collect::<Result<_, _>>().map_err(unreadable)
    }

    /// Ends some thousands of the orphans of a registry: its charts become unavailable, and what
    /// discovery knew about it is forgotten. If the registry is watched again, every chart is read
    /// as if for the first time. Call it until nothing is left. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_orphans(
        &self,
        registry: &Registry,
        gone: &[&KnownInstance],
    ) -> Result<EndedOrphans, Error> {
        let host = registry.host();
        let ended = self.end_some(registry, None, None).await?;
        if !ended.is_done {
            return Ok(ended);
        }
        let names: Vec<&str> = gone.iter().map(|gone| gone.name.as_str()).collect();
        let known: Parameters<'_> = &[(&host, Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let changes: Parameters<'_> = &[(&names, Type::TEXT_ARRAY)];
        let seen_at: Vec<OffsetDateTime> = gone.iter().map(|gone| gone.seen_at).collect();
        let instances: Parameters<'_> =
            &[(&names, Type::TEXT_ARRAY), (&seen_at, Type::TIMESTAMPTZ_ARRAY)];
        let last = [
            (FORGET_FAULTS, known),
            (FORGET_SEEN, known),
            (FORGET_CHANGES, changes),
            (FORGET_INSTANCES, instances),
        ];
        self.query_all("forget the instances that are gone", &last).await?;
        Ok(ended)
    }

    /// Ends some thousands of the rows of one repository, as [`Database::end_orphans`] does. The
    /// instances that watch it compare its list again. Call it until nothing is left. Safe to
    /// repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_repository(
        &self,
        registry: &Registry,
        repository: &Repository,
        watching: &[&str],
    ) -> Result<EndedOrphans, Error> {
        self.end_some(registry, Some(repository), Some(watching)).await
    }

    async fn end_some(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
        watching: Option<&[&str]>,
    ) -> Result<EndedOrphans, Error> {
        let (host, name) = (registry.host(), repository.map(Repository::as_str));
        let some: Parameters<'_> = &[
            (&host, Type::TEXT),
            (&ROWS_MAX, Type::INT8),
            (&name, Type::TEXT),
            (&watching, Type::TEXT_ARRAY),
        ];
        let what = "end the orphans";
        let rows = self.query(what, END_KNOWN, some).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        let number = |column| {
            let number: i64 = row.try_get(column)?;
            Ok(u64::try_from(number).unwrap_or_default())
        };
        let unreadable = |source| Error::Query { what, source };
        let forgotten: u64 = number(0).map_err(unreadable)?;
        if forgotten > 0 {
            return Ok(EndedOrphans { charts: number(1).map_err(unreadable)?, is_done: false });
        }
        let charts = self.query(what, END_UNKNOWN, some).await?.len() as u64;
        Ok(EndedOrphans { charts, is_done: charts == 0 })
    }
}
