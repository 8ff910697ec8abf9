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
}

/// A row of `helm_registries`.
#[derive(Debug, Clone)]
pub struct FoundRegistry {
    /// Its id.
    pub id: Uuid,
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

const REGISTRY: &str = "\
SELECT registry.id, registry.kind_id, kind.name AS kind, content.charts, content.available
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

impl Database {
    /// Finds the rows of a repository, and of a tag or digest in it, in one round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn find_chart(
        &self,
        registry_host: &str,
        repo_name: &str,
        reference: Option<&str>,
    ) -> Result<Findings, Error> {
        let what = "read what is stored about the chart";
        let registry: Parameters<'_> = &[(&registry_host, Type::TEXT), (&repo_name, Type::TEXT)];
        let tag = [registry, &[(&reference, Type::TEXT)]].concat();
        let charts = [tag.as_slice(), &[(&ROWS_MAX, Type::INT8)]].concat();
        let statements =
            [(REGISTRY, registry), (CHARTS, charts.as_slice()), (LAST_SEEN, tag.as_slice())];
        let answers = self.query_all(what, &statements).await?;
        let [registries, charts, seen] = answers.as_slice() else {
            return Err(Error::NoRow { what });
        };
        let read = || {
            Ok(Findings {
                registry: registries.first().map(FoundRegistry::read).transpose()?,
                charts: charts.iter().map(FoundChart::read).collect::<Result<_, _>>()?,
                seen: seen.first().map(LastSeen::read).transpose()?,
            })
        };
        read().map_err(|source| Error::Query { what, source })
    }
}

impl FoundRegistry {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
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
