//! The rows of one repository and one reference in it. A diagnosis compares them with the registry.

use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// Chart rows that a diagnosis shows per reference.
const ROWS_MAX: i64 = 20;

/// The rows that a diagnosis found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The registry row of the repository.
    pub registry: Option<FoundRegistry>,
    /// The chart rows of the reference, the available one first, then the newest.
    pub charts: Vec<FoundChart>,
    /// The latest observation of the reference.
    pub seen: Option<LastSeen>,
    /// Why the instance could not look at the reference or its repository; that of the reference
    /// comes first.
    pub faults: Vec<FoundFault>,
    /// The tags of the repository that are held back.
    pub held: HeldTags,
}

/// A row of `helm_registries`.
#[derive(Debug, Clone)]
pub struct FoundRegistry {
    /// Its id.
    pub id: Uuid,
    /// The registry's name in the rows.
    pub domain_name: String,
    /// The id of its kind.
    pub kind_id: Uuid,
    /// The name of its kind.
    pub kind: String,
    /// The number of its chart rows.
    pub charts: i64,
    /// The number of its available chart rows.
    pub available: i64,
}

/// A row of `helm_charts`.
#[derive(Debug, Clone)]
pub struct FoundChart {
    /// Its id.
    pub id: Uuid,
    /// Its tag.
    pub tag: String,
    /// Its digest.
    pub digest: String,
    /// Whether the tag still resolves to the digest, as far as is known.
    pub available: bool,
    /// Why the chart is BROKEN.
    pub error: Option<String>,
}

/// A row of `observations`.
#[derive(Debug, Clone)]
pub struct LastSeen {
    /// The digest that the tag resolved to; `None` if it was absent.
    pub digest: Option<String>,
    /// The time of the last look.
    pub at: OffsetDateTime,
    /// The time when the hold began, if the chart is held back.
    pub missing_since: Option<OffsetDateTime>,
}

/// A row of `reference_faults`.
#[derive(Debug, Clone)]
pub struct FoundFault {
    /// Whether the instance could not visit the repository.
    pub is_of_repository: bool,
    /// `failed`, `skipped` or `hidden`.
    pub kind: String,
    /// The last error.
    pub error: String,
    /// The number of tries so far.
    pub attempts: i32,
    /// The time of the first try.
    pub first_at: OffsetDateTime,
    /// The time of the last try.
    pub last_at: OffsetDateTime,
    /// The time before which there is no other try.
    pub next_at: OffsetDateTime,
}

/// The tags of a repository that are held back.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeldTags {
    /// Their number.
    pub count: i64,
    /// When the first hold began.
    pub since: Option<OffsetDateTime>,
}

const REGISTRY: &str = "\
SELECT registry.id, registry.domain_name, registry.kind_id, kind.name AS kind, content.charts,
    content.available
FROM helm_registries AS registry
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id
CROSS JOIN LATERAL (
    SELECT count(*) AS charts, count(*) FILTER (WHERE chart.available) AS available
    FROM helm_charts AS chart
    WHERE chart.helm_registry_id = registry.id
) AS content
WHERE registry_host(registry.domain_name) = $1 AND registry.repo_name = $2";

const CHARTS: &str = "\
SELECT chart.id, chart.image_tag, chart.image_digest, chart.available, chart.error
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1 AND registry.repo_name = $2
    AND ($3::text IN (chart.image_tag, chart.image_digest))
ORDER BY chart.available DESC, chart.created_at DESC, chart.id
LIMIT $4";

const LAST_SEEN: &str = "\
SELECT digest, observed_at, missing_since
FROM observations
WHERE registry_host = $1 AND repo_name = $2 AND reference = $3";

const FAULTS: &str = "\
SELECT reference = '' AS is_of_repository, kind, error, attempts, first_at, last_at, next_at
FROM reference_faults
WHERE registry_host = $1 AND repo_name = $2 AND reference IN ('', $3) AND instance = $4
ORDER BY reference DESC";

const HELD: &str = "\
SELECT count(*), min(missing_since)
FROM observations
WHERE registry_host = $1 AND repo_name = $2 AND missing_since IS NOT NULL";

impl Database {
    /// Finds the rows of a repository, and of a tag or digest in it, in one round trip. The faults
    /// are those of `instance`.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn find_chart(
        &self,
        registry_host: &str,
        repo_name: &str,
        reference: Option<&str>,
        instance: Option<&str>,
    ) -> Result<Findings, Error> {
        let what = "read what is stored about the chart";
        let registry: Parameters<'_> = &[(&registry_host, Type::TEXT), (&repo_name, Type::TEXT)];
        let tag = [registry, &[(&reference, Type::TEXT)]].concat();
        let charts = [tag.as_slice(), &[(&ROWS_MAX, Type::INT8)]].concat();
        let faults = [tag.as_slice(), &[(&instance, Type::TEXT)]].concat();
        let statements = [
            (REGISTRY, registry),
            (CHARTS, charts.as_slice()),
            (LAST_SEEN, tag.as_slice()),
            (FAULTS, faults.as_slice()),
            (HELD, registry),
        ];
        let answers = self.query_all(what, &statements).await?;
        let [registries, charts, seen, faults, held] = answers.as_slice() else {
            return Err(Error::NoRow { what });
        };
        let read = || {
            Ok(Findings {
                registry: registries.first().map(FoundRegistry::read).transpose()?,
                charts: charts.iter().map(FoundChart::read).collect::<Result<_, _>>()?,
                seen: seen.first().map(LastSeen::read).transpose()?,
                faults: faults.iter().map(FoundFault::read).collect::<Result<_, _>>()?,
                held: held.first().map(HeldTags::read).transpose()?.unwrap_or_default(),
            })
        };
        read().map_err(|source| Error::Query { what, source })
    }
}

impl FoundRegistry {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            domain_name: row.try_get("domain_name")?,
            kind_id: row.try_get("kind_id")?,
            kind: row.try_get("kind")?,
            charts: row.try_get("charts")?,
            available: row.try_get("available")?,
        })
    }
}

impl FoundChart {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            tag: row.try_get("image_tag")?,
            digest: row.try_get("image_digest")?,
            available: row.try_get("available")?,
            error: row.try_get("error")?,
        })
    }
}

impl LastSeen {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            digest: row.try_get("digest")?,
            at: row.try_get("observed_at")?,
            missing_since: row.try_get("missing_since")?,
        })
    }
}

impl FoundFault {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            is_of_repository: row.try_get("is_of_repository")?,
            kind: row.try_get("kind")?,
            error: row.try_get("error")?,
            attempts: row.try_get("attempts")?,
            first_at: row.try_get("first_at")?,
            last_at: row.try_get("last_at")?,
            next_at: row.try_get("next_at")?,
        })
    }
}

impl HeldTags {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self { count: row.try_get(0)?, since: row.try_get(1)? })
    }
}
