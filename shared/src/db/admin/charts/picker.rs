//! The charts that a version picker offers.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::row::{HelmChart, select};
use crate::db::admin::list::{ListQuery, Listed, PageRequest};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// A chart that a version picker offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickerChart {
    /// The chart row.
    pub chart: HelmChart,
    /// Its registry: [`crate::db::HelmRegistry::domain_name`].
    pub domain_name: String,
    /// The name of its repository.
    pub repo_name: String,
}

/// Reads at most as many charts per registry as the page may need, in the order of an index. Then
/// cuts out the page.
const PICKER: &str = concat!(
    select!("left(contents.description, 1000)", ", page.domain_name, page.repo_name"),
    "\
FROM (
    SELECT newest.*, registry.domain_name, registry.repo_name
    FROM helm_registries AS registry
    CROSS JOIN LATERAL (
        SELECT chart.id, chart.created_at,
            semver_key(chart.image_tag) COLLATE \"C\" AS version_key
        FROM helm_charts AS chart
        WHERE chart.helm_registry_id = registry.id AND ($2 OR chart.available)
        ORDER BY version_key DESC NULLS LAST, chart.created_at DESC, chart.id
        LIMIT $3 + $4
    ) AS newest
    WHERE registry.kind_id = $1
    ORDER BY newest.version_key DESC NULLS LAST, newest.created_at DESC, newest.id
    LIMIT $3 OFFSET $4
) AS page
JOIN helm_charts AS chart ON chart.id = page.id
LEFT JOIN helm_chart_contents AS contents ON contents.digest = chart.image_digest
ORDER BY page.version_key DESC NULLS LAST, page.created_at DESC, page.id"
);

const COUNT_PICKER: &str = "\
SELECT count(*)
FROM helm_charts AS chart
WHERE chart.helm_registry_id = ANY (ARRAY(
        SELECT registry.id FROM helm_registries AS registry WHERE registry.kind_id = $1
    ))
    AND ($2 OR chart.available)";

impl Database {
    /// Lists the charts of all registries of a kind, the highest SemVer version first. Charts whose
    /// version is not SemVer come last, the newest first. Unavailable charts are listed on request
    /// only.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn pick_charts(
        &self,
        kind_id: Uuid,
        with_unavailable: bool,
        page: PageRequest,
    ) -> Result<Listed<PickerChart>, Error> {
        let filter: Parameters<'_> = &[(&kind_id, Type::UUID), (&with_unavailable, Type::BOOL)];
        let query = ListQuery {
            what: "list the kind's charts",
            select: PICKER,
            count: COUNT_PICKER,
            read: PickerChart::read,
        };
        self.list(query, filter, page).await
    }
}

impl PickerChart {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            chart: HelmChart::read(row)?,
            domain_name: row.try_get("domain_name")?,
            repo_name: row.try_get("repo_name")?,
        })
    }
}
