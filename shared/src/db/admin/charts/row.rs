//! A chart row, as lists and pages show it.

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

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
    /// `type` in Chart.yaml: `application` or `library`. Shortened to 512 characters.
    #[schema(required)]
    pub chart_type: Option<String>,
    /// `kubeVersion` in Chart.yaml. Shortened to 512 characters.
    #[schema(required)]
    pub kube_version: Option<String>,
    /// `deprecated` in Chart.yaml.
    pub deprecated: bool,
    /// Whether the chart comes with its provenance, a signature by Helm. It is not verified.
    pub has_provenance: bool,
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

/// Selects the columns of a chart. The caller names the description, because lists shorten it.
/// Shortens the fields of the metadata, because a chart may have a quarter of a megabyte in each,
/// and a list must fit into an answer of Lambda. A row of Platz's may have a time whose year
/// RFC 3339 cannot write.
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
            " AS description, left(contents.metadata ->> 'type', 512) AS chart_type,
    left(contents.metadata ->> 'kubeVersion', 512) AS kube_version,
    coalesce(contents.metadata @> '{\"deprecated\": true}', false) AS deprecated,
    coalesce(contents.has_provenance, false) AS has_provenance,
    contents.git_commit, contents.git_branch, contents.git_repo",
            $more,
            "\n"
        )
    };
}
pub(super) use select;

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

    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
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
            chart_type: row.try_get("chart_type")?,
            kube_version: row.try_get("kube_version")?,
            deprecated: row.try_get("deprecated")?,
            has_provenance: row.try_get("has_provenance")?,
            git_commit: row.try_get("git_commit")?,
            git_branch: row.try_get("git_branch")?,
            git_repo: row.try_get("git_repo")?,
        })
    }
}
