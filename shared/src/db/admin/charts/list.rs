//! Lists of charts, the newest first.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::row::{HelmChart, select};
use crate::db::admin::list::{ListQuery, Listed, PageRequest, beginning};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// The charts that a list must show. A field that is `None` does not restrict it.
#[derive(Debug, Clone, Default)]
pub struct ChartFilter<'a> {
    /// The registry.
    pub registry_id: Option<Uuid>,
    /// The kind of the registry.
    pub kind_id: Option<Uuid>,
    /// The name of the kind of the registry.
    pub kind: Option<&'a str>,
    /// Whether it is available.
    pub available: Option<bool>,
    /// Shows BROKEN charts only.
    pub broken: bool,
    /// The branch in `parsed_branch`.
    pub branch: Option<&'a str>,
    /// The beginning of the tag, or a whole digest.
    pub text: Option<&'a str>,
}

/// The part of the filter that concerns the charts themselves.
macro_rules! wanted {
    () => {
        "\
($1::uuid IS NULL OR chart.helm_registry_id = $1)
    AND ($4::boolean IS NULL OR chart.available = $4)
    AND (NOT $5 OR chart.error IS NOT NULL)
    AND ($6::text IS NULL OR chart.parsed_branch = $6)
    AND ($7::text IS NULL OR chart.image_tag LIKE $7)
    AND ($8::text IS NULL OR chart.image_digest = $8)"
    };
}

/// The part of the filter that concerns the kind: its registries.
macro_rules! of_kind {
    () => {
        "\
FROM helm_registries AS registry
JOIN k8s_deployment_kinds AS kind
    ON kind.id = registry.kind_id
    AND ($2::uuid IS NULL OR kind.id = $2)
    AND ($3::text IS NULL OR kind.name = $3)"
    };
}

/// Selects the whole rows of a page. The page itself comes from an index.
macro_rules! rows {
    ($page:expr) => {
        concat!(
            select!("left(contents.description, 1000)", ""),
            "FROM (\n",
            $page,
            "
) AS page
JOIN helm_charts AS chart ON chart.id = page.id
LEFT JOIN helm_chart_contents AS contents ON contents.digest = chart.image_digest
ORDER BY page.created_at DESC, page.id"
        )
    };
}

const LIST: &str = rows!(concat!(
    "SELECT chart.id, chart.created_at\nFROM helm_charts AS chart\nWHERE ",
    wanted!(),
    "\nORDER BY chart.created_at DESC, chart.id\nLIMIT $9 OFFSET $10"
));

const COUNT: &str = concat!("SELECT count(*) FROM helm_charts AS chart WHERE ", wanted!());

/// Reads at most as many charts per registry as the page may need, then cuts out the page.
const LIST_OF_KIND: &str = rows!(concat!(
    "SELECT newest.id, newest.created_at\n",
    of_kind!(),
    "
CROSS JOIN LATERAL (
    SELECT chart.id, chart.created_at
    FROM helm_charts AS chart
    WHERE chart.helm_registry_id = registry.id AND ",
    wanted!(),
    "
    ORDER BY chart.created_at DESC, chart.id
    LIMIT $9 + $10
) AS newest
ORDER BY newest.created_at DESC, newest.id
LIMIT $9 OFFSET $10"
));

const COUNT_OF_KIND: &str = concat!(
    "SELECT count(*)\n",
    of_kind!(),
    "\nJOIN helm_charts AS chart ON chart.helm_registry_id = registry.id\nWHERE ",
    wanted!()
);

impl Database {
    /// Lists charts, the newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_charts(
        &self,
        filter: &ChartFilter<'_>,
        page: PageRequest,
    ) -> Result<Listed<HelmChart>, Error> {
        // Every digest contains a colon, and no tag does.
        let (digest, tag) = match filter.text.filter(|text| !text.is_empty()) {
            Some(text) if text.contains(':') => (Some(text), None),
            text => (None, text.map(beginning)),
        };
        let is_of_kind = filter.kind_id.is_some() || filter.kind.is_some();
        let (select, count) =
            if is_of_kind { (LIST_OF_KIND, COUNT_OF_KIND) } else { (LIST, COUNT) };
        let filter: Parameters<'_> = &[
            (&filter.registry_id, Type::UUID),
            (&filter.kind_id, Type::UUID),
            (&filter.kind, Type::TEXT),
            (&filter.available, Type::BOOL),
            (&filter.broken, Type::BOOL),
            (&filter.branch, Type::TEXT),
            (&tag, Type::TEXT),
            (&digest, Type::TEXT),
        ];
        let query = ListQuery { what: "list the charts", select, count, read: HelmChart::read };
        self.list(query, filter, page).await
    }
}
