//! Chart rows for the admin pages and the API.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use super::list::{ListQuery, Listed, PageRequest, beginning};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::ParsedTag;

/// A row of `helm_charts`, without the documents that are in the chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HelmChart {
    /// The row's id. It never changes.
    pub id: Uuid,
    /// Time of the push, if it is known. Otherwise the time that the manifest names, or the time
    /// when discovery first saw the chart.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The id of its registry row.
    pub helm_registry_id: Uuid,
    /// The digest of the manifest.
    pub image_digest: String,
    /// The tag.
    pub image_tag: String,
    /// Whether the tag resolves to the digest in the registry. The API still returns an unavailable
    /// chart by its id.
    pub available: bool,
    /// For an unavailable chart: the digest of the chart that its tag resolves to now, if any.
    #[schema(required)]
    pub moved_to: Option<String>,
    /// The defect of a BROKEN chart.
    #[schema(required)]
    pub error: Option<String>,
    /// The tag format that the tag matches.
    #[schema(required)]
    pub tag_format_id: Option<Uuid>,
    /// The version in the tag, or else in the chart.
    #[schema(required)]
    pub parsed_version: Option<String>,
    /// The revision in the tag.
    #[schema(required)]
    pub parsed_revision: Option<String>,
    /// The branch in the tag, or else in the chart.
    #[schema(required)]
    pub parsed_branch: Option<String>,
    /// The commit in the tag, or else in the chart.
    #[schema(required)]
    pub parsed_commit: Option<String>,
    /// `name` in Chart.yaml.
    #[schema(required)]
    pub chart_name: Option<String>,
    /// `version` in Chart.yaml.
    #[schema(required)]
    pub chart_version: Option<String>,
    /// `appVersion` in Chart.yaml.
    #[schema(required)]
    pub app_version: Option<String>,
    /// `description` in Chart.yaml. Lists shorten it to 1,000 characters.
    #[schema(required)]
    pub description: Option<String>,
    /// The annotation `platz.io/git/commit`.
    #[schema(required)]
    pub git_commit: Option<String>,
    /// The annotation `platz.io/git/branch`.
    #[schema(required)]
    pub git_branch: Option<String>,
    /// The annotation `platz.io/git/repo`.
    #[schema(required)]
    pub git_repo: Option<String>,
}

/// A chart with the documents in it. Lists leave the documents out, because they may be megabytes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HelmChartDocuments {
    /// The chart row.
    #[serde(flatten)]
    pub chart: HelmChart,
    /// `platz/values-ui.yaml`.
    #[schema(required)]
    pub values_ui: Option<Value>,
    /// `platz/actions.yaml`.
    #[schema(required)]
    pub actions_schema: Option<Value>,
    /// `platz/features.yaml`.
    #[schema(required)]
    pub features: Option<Value>,
    /// `platz/resources.yaml`.
    #[schema(required)]
    pub resource_types: Option<Value>,
}

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

/// Selects the columns of a chart. The caller names the description, because lists shorten it. A
/// row of Platz's may have a time whose year RFC 3339 cannot write.
macro_rules! select {
    ($description:literal, $more:literal) => {
        concat!(
            "\
SELECT chart.id, greatest(least(chart.created_at, '9999-12-31'), '0001-01-01') AS created_at,
    chart.helm_registry_id, chart.image_digest, chart.image_tag, chart.available,
    CASE
        WHEN NOT chart.available THEN (
            SELECT now.image_digest
            FROM helm_charts AS now
            WHERE now.helm_registry_id = chart.helm_registry_id
                AND now.image_tag = chart.image_tag
                AND now.available
            ORDER BY now.created_at DESC, now.id
            LIMIT 1
        )
    END AS moved_to,
    chart.error, chart.tag_format_id, chart.parsed_version, chart.parsed_revision,
    chart.parsed_branch, chart.parsed_commit, contents.chart_name, contents.chart_version,
    contents.app_version, ",
            $description,
            " AS description, contents.git_commit, contents.git_branch, contents.git_repo",
            $more,
            "\n"
        )
    };
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

const GET: &str = concat!(
    select!(
        "contents.description",
        ", chart.values_ui, chart.actions_schema, chart.features, chart.resource_types"
    ),
    "\
FROM helm_charts AS chart
LEFT JOIN helm_chart_contents AS contents ON contents.digest = chart.image_digest
WHERE chart.id = $1"
);

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

    /// Returns the chart with an id, available or not.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_chart(&self, id: Uuid) -> Result<Option<HelmChartDocuments>, Error> {
        self.get("read the chart", GET, &[(&id, Type::UUID)], HelmChartDocuments::read).await
    }

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

impl HelmChart {
    /// Returns version, revision, branch and commit, as far as the tag or the chart names them.
    #[must_use]
    pub fn parsed(&self) -> ParsedTag {
        ParsedTag {
            version: self.parsed_version.clone(),
            revision: self.parsed_revision.clone(),
            branch: self.parsed_branch.clone(),
            commit: self.parsed_commit.clone(),
        }
    }

    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            helm_registry_id: row.try_get("helm_registry_id")?,
            image_digest: row.try_get("image_digest")?,
            image_tag: row.try_get("image_tag")?,
            available: row.try_get("available")?,
            moved_to: row.try_get("moved_to")?,
            error: row.try_get("error")?,
            tag_format_id: row.try_get("tag_format_id")?,
            parsed_version: row.try_get("parsed_version")?,
            parsed_revision: row.try_get("parsed_revision")?,
            parsed_branch: row.try_get("parsed_branch")?,
            parsed_commit: row.try_get("parsed_commit")?,
            chart_name: row.try_get("chart_name")?,
            chart_version: row.try_get("chart_version")?,
            app_version: row.try_get("app_version")?,
            description: row.try_get("description")?,
            git_commit: row.try_get("git_commit")?,
            git_branch: row.try_get("git_branch")?,
            git_repo: row.try_get("git_repo")?,
        })
    }
}

impl HelmChartDocuments {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            chart: HelmChart::read(row)?,
            values_ui: row.try_get("values_ui")?,
            actions_schema: row.try_get("actions_schema")?,
            features: row.try_get("features")?,
            resource_types: row.try_get("resource_types")?,
        })
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
