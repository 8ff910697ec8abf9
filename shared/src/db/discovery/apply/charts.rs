//! The chart rows of a batch. Only observations that won change rows: those that the table
//! `observations` holds now.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::columns::{ObservationColumns, seen};
use super::contents::read_contents;

const RETIRE: &str = concat!(
    "\
UPDATE helm_charts AS chart
SET available = false
FROM ",
    seen!(),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
WHERE stored.observed_at = seen.observed_at
    AND stored.digest IS NOT DISTINCT FROM seen.digest
    AND chart.helm_registry_id = registry.id
    AND chart.image_tag = seen.reference
    AND chart.available
    AND (NOT seen.is_chart OR chart.image_digest <> seen.digest)
RETURNING seen.registry_host, seen.repo_name, seen.reference"
);

/// `twin` is another row of the digest, for contents that this batch does not bring. `format` is
/// missing when it was deleted meanwhile.
const ADD: &str = concat!(
    "\
INSERT INTO helm_charts AS chart (
    created_at, helm_registry_id, image_digest, image_tag, chart_name, chart_version, app_version,
    description, git_commit, git_branch, git_repo, values_ui, actions_schema, features,
    resource_types, error, tag_format_id, parsed_version, parsed_revision, parsed_branch,
    parsed_commit, parsed_with
)
SELECT least(coalesce(seen.created_at, now()), now()), registry.id, seen.digest, seen.reference,
    coalesce(twin.chart_name, read.chart_name), coalesce(twin.chart_version, read.chart_version),
    coalesce(twin.app_version, read.app_version), coalesce(twin.description, read.description),
    coalesce(twin.git_commit, read.git_commit), coalesce(twin.git_branch, read.git_branch),
    coalesce(twin.git_repo, read.git_repo), coalesce(twin.values_ui, read.values_ui),
    coalesce(twin.actions_schema, read.actions_schema), coalesce(twin.features, read.features),
    coalesce(twin.resource_types, read.resource_types), coalesce(twin.error, read.error), format.id,
    CASE
        WHEN seen.format_id IS NULL THEN coalesce(twin.chart_version, read.chart_version)
        ELSE seen.version
    END,
    seen.revision,
    CASE
        WHEN seen.format_id IS NULL THEN coalesce(twin.git_branch, read.git_branch)
        ELSE seen.branch
    END,
    CASE
        WHEN seen.format_id IS NULL THEN coalesce(twin.git_commit, read.git_commit)
        ELSE seen.commit
    END,
    $16
FROM ",
    seen!(
        ", $7::timestamptz[], $8::boolean[], \
         $9::text[]::uuid[], $10::text[], $11::text[], $12::text[], $13::text[]",
        ", created_at, is_requested, format_id, version, revision, branch, commit"
    ),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
LEFT JOIN helm_tag_formats AS format ON format.id = seen.format_id
LEFT JOIN unnest($14::text[], $15::text[]) AS given (digest, contents) ON given.digest = seen.digest
CROSS JOIN LATERAL ",
    read_contents!("given.contents"),
    "
LEFT JOIN LATERAL (
    SELECT known.*
    FROM helm_charts AS known
    WHERE given.digest IS NULL
        AND known.image_digest = seen.digest
        AND (known.chart_name IS NOT NULL OR known.error IS NOT NULL)
    LIMIT 1
) AS twin ON true
WHERE seen.is_chart
    AND stored.observed_at = seen.observed_at
    AND (stored.changed_at = seen.observed_at OR seen.is_requested)
    AND stored.digest = seen.digest
ORDER BY registry.id, seen.reference
ON CONFLICT ON CONSTRAINT helm_charts_registry_tag_digest_key DO UPDATE
SET available = true
WHERE NOT chart.available
RETURNING
    (
        SELECT registry.registry_host
        FROM helm_registries AS registry
        WHERE registry.id = chart.helm_registry_id
    ),
    (
        SELECT registry.repo_name
        FROM helm_registries AS registry
        WHERE registry.id = chart.helm_registry_id
    ),
    chart.image_tag, chart.error IS NOT NULL"
);

const REFRESH: &str = concat!(
    "\
UPDATE helm_charts AS chart
SET chart_name = read.chart_name, chart_version = read.chart_version,
    app_version = read.app_version, description = read.description,
    git_commit = read.git_commit, git_branch = read.git_branch, git_repo = read.git_repo,
    values_ui = read.values_ui, actions_schema = read.actions_schema, features = read.features,
    resource_types = read.resource_types, error = read.error,
    parsed_version = CASE
        WHEN chart.tag_format_id IS NULL THEN read.chart_version
        ELSE chart.parsed_version
    END,
    parsed_branch = CASE
        WHEN chart.tag_format_id IS NULL THEN read.git_branch
        ELSE chart.parsed_branch
    END,
    parsed_commit = CASE
        WHEN chart.tag_format_id IS NULL THEN read.git_commit
        ELSE chart.parsed_commit
    END
FROM unnest($1::text[], $2::text[]) AS refreshed (digest, contents)
CROSS JOIN LATERAL ",
    read_contents!("refreshed.contents"),
    "
WHERE chart.image_digest = refreshed.digest
    AND (
        chart.chart_name, chart.chart_version, chart.app_version, chart.description,
        chart.git_commit, chart.git_branch, chart.git_repo, chart.values_ui, chart.actions_schema,
        chart.features, chart.resource_types, chart.error
    ) IS DISTINCT FROM (
        read.chart_name, read.chart_version, read.app_version, read.description,
        read.git_commit, read.git_branch, read.git_repo, read.values_ui, read.actions_schema,
        read.features, read.resource_types, read.error
    )
RETURNING chart.error IS NOT NULL"
);

/// Makes rows unavailable whose tag resolves to another digest now, or to no chart. Returns their
/// subjects.
pub(super) async fn retire_charts(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    client.query_typed(RETIRE, &batch.parameters()).await
}

/// Adds the rows of charts whose tag resolves to a new digest, or makes an old row available again.
/// Returns their subjects, and whether the chart is BROKEN.
///
/// An observation that only confirms what was known adds no row. So a row that an admin deleted
/// stays deleted until a rescan is requested. A row whose tag matches no format takes version,
/// branch and commit from the chart itself.
pub(super) async fn add_charts(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let contents = batch.contents.all();
    let parameters = [
        &batch.parameters()[..],
        &[
            (&batch.created_at, Type::TIMESTAMPTZ_ARRAY), // $7
            (&batch.are_requested, Type::BOOL_ARRAY),     // $8
            (&batch.tags.format_ids, Type::TEXT_ARRAY),   // $9
            (&batch.tags.versions, Type::TEXT_ARRAY),     // $10
            (&batch.tags.revisions, Type::TEXT_ARRAY),    // $11
            (&batch.tags.branches, Type::TEXT_ARRAY),     // $12
            (&batch.tags.commits, Type::TEXT_ARRAY),      // $13
            (&contents.digests, Type::TEXT_ARRAY),        // $14
            (&contents.json, Type::TEXT_ARRAY),           // $15
            (&batch.parsed_with, Type::INT8),             // $16
        ],
    ];
    client.query_typed(ADD, &parameters.concat()).await
}

/// Writes contents that were read again into every row of their digest, because contents depend on
/// the digest alone. Returns for each changed row whether the chart is BROKEN.
pub(super) async fn refresh_charts(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let contents = batch.contents.refreshed();
    let parameters = [
        (&contents.digests as _, Type::TEXT_ARRAY), // $1
        (&contents.json as _, Type::TEXT_ARRAY),    // $2
    ];
    client.query_typed(REFRESH, &parameters).await
}
