//! Where else a chart's digest is, and what else its tag resolved to.

use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::db::{Database, Error};

/// The most rows of a kind that are returned.
pub const PLACES_MAX: i64 = 100;

/// A chart row with its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartPlace {
    /// The chart row.
    pub id: Uuid,
    /// When the chart was pushed or first seen.
    pub created_at: OffsetDateTime,
    /// The id of its registry row.
    pub helm_registry_id: Uuid,
    /// Its registry: [`crate::db::HelmRegistry::domain_name`].
    pub domain_name: String,
    /// The name of its repository.
    pub repo_name: String,
    /// The kind of its registry.
    pub kind_id: Uuid,
    /// The name of that kind.
    pub kind: String,
    /// The tag.
    pub image_tag: String,
    /// The digest.
    pub image_digest: String,
    /// Whether the tag resolves to the digest.
    pub available: bool,
    /// Whether the chart is BROKEN.
    pub is_broken: bool,
}

/// The rows that belong to a chart. Each list has at most [`PLACES_MAX`] rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChartPlaces {
    /// Every row with its digest, in any registry, its own first.
    pub of_digest: Vec<ChartPlace>,
    /// Every row with its tag in its repository, the newest first.
    pub of_tag: Vec<ChartPlace>,
    /// The available rows of its repository, the highest version first. They can be compared.
    pub beside: Vec<ChartPlace>,
}

macro_rules! places {
    ($rest:literal) => {
        concat!(
            "\
SELECT chart.id, greatest(least(chart.created_at, '9999-12-31'), '0001-01-01') AS created_at,
    chart.helm_registry_id, registry.domain_name, registry.repo_name, registry.kind_id,
    kind.name AS kind, chart.image_tag, chart.image_digest, chart.available,
    chart.error IS NOT NULL AS is_broken
FROM helm_charts AS this
",
            $rest
        )
    };
}

const OF_DIGEST: &str = places!(
    "\
JOIN helm_charts AS chart ON chart.image_digest = this.image_digest
JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id
WHERE this.id = $1
ORDER BY chart.id <> $1, chart.available DESC, registry.domain_name, registry.repo_name,
    chart.image_tag, chart.id
LIMIT $2"
);

const OF_TAG: &str = places!(
    "\
JOIN helm_charts AS chart
    ON chart.helm_registry_id = this.helm_registry_id AND chart.image_tag = this.image_tag
JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id
WHERE this.id = $1
ORDER BY chart.created_at DESC, chart.id
LIMIT $2"
);

const BESIDE: &str = places!(
    "\
CROSS JOIN LATERAL (
    SELECT beside.*, semver_key(beside.image_tag) COLLATE \"C\" AS version_key
    FROM helm_charts AS beside
    WHERE beside.helm_registry_id = this.helm_registry_id AND beside.available
    ORDER BY version_key DESC NULLS LAST, beside.created_at DESC, beside.id
    LIMIT $2
) AS chart
JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id
WHERE this.id = $1 AND chart.id <> $1
ORDER BY chart.version_key DESC NULLS LAST, chart.created_at DESC, chart.id"
);

impl Database {
    /// Lists the rows that belong to a chart, in one round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn chart_places(&self, id: Uuid) -> Result<ChartPlaces, Error> {
        let what = "list the places of a chart";
        let parameters = [(&id as _, Type::UUID), (&PLACES_MAX as _, Type::INT8)];
        let statements =
            [(OF_DIGEST, &parameters[..]), (OF_TAG, &parameters[..]), (BESIDE, &parameters[..])];
        let rows = self.query_all(what, &statements).await?;
        let mut lists = rows.into_iter().map(|rows| {
            let places = rows.iter().map(ChartPlace::read).collect::<Result<Vec<_>, _>>();
            places.map_err(|source| Error::Query { what, source })
        });
        let mut next = || lists.next().unwrap_or_else(|| Ok(Vec::new()));
        Ok(ChartPlaces { of_digest: next()?, of_tag: next()?, beside: next()? })
    }
}

impl ChartPlace {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            helm_registry_id: row.try_get("helm_registry_id")?,
            domain_name: row.try_get("domain_name")?,
            repo_name: row.try_get("repo_name")?,
            kind_id: row.try_get("kind_id")?,
            kind: row.try_get("kind")?,
            image_tag: row.try_get("image_tag")?,
            image_digest: row.try_get("image_digest")?,
            available: row.try_get("available")?,
            is_broken: row.try_get("is_broken")?,
        })
    }
}
