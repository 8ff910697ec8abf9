//! The chart rows of a batch. Only observations that won change rows: those that the table
//! `observations` holds now.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::columns::{ObservationColumns, seen};

const RETIRE: &str = concat!(
    "\
UPDATE helm_charts AS chart
SET available = false
FROM ",
    seen!(),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
JOIN helm_registries AS registry
    ON registry_host(registry.domain_name) = seen.registry_host
    AND registry.repo_name = seen.repo_name
WHERE stored.observed_at = seen.observed_at
    AND stored.digest IS NOT DISTINCT FROM seen.digest
    AND chart.helm_registry_id = registry.id
    AND chart.image_tag = seen.reference
    AND chart.available
    AND (NOT seen.is_chart OR chart.image_digest <> seen.digest)
RETURNING seen.registry_host, seen.repo_name, seen.reference"
);

/// `format` is missing when it was deleted meanwhile. `known` may be several rows, because a
/// database of Platz's has no unique index: the available one needs nothing, else the newest comes
/// back. Two writers of one tag wait for each other at its row of `observations`, which `record`
/// has locked before this statement took its snapshot.
const ADD: &str = concat!(
    "\
WITH winners AS (
    SELECT registry.id AS helm_registry_id, seen.*, format.id AS found_format_id,
        least(coalesce(seen.pushed_at, now()), now()) AS created_at
    FROM ",
    seen!(
        ", $7::timestamptz[], $8::boolean[], \
         $9::text[]::uuid[], $10::text[], $11::text[], $12::text[], $13::text[]",
        ", pushed_at, is_requested, format_id, version, revision, branch, commit"
    ),
    "
    JOIN observations AS stored USING (registry_host, repo_name, reference)
    JOIN helm_registries AS registry
        ON registry_host(registry.domain_name) = seen.registry_host
        AND registry.repo_name = seen.repo_name
    LEFT JOIN helm_tag_formats AS format ON format.id = seen.format_id
    WHERE seen.is_chart
        AND stored.observed_at = seen.observed_at
        AND (stored.changed_at = seen.observed_at OR seen.is_requested)
        AND stored.digest = seen.digest
), known AS (
    SELECT DISTINCT ON (winners.helm_registry_id, winners.reference)
        winners.helm_registry_id, winners.reference, chart.id
    FROM winners
    JOIN helm_charts AS chart
        ON chart.helm_registry_id = winners.helm_registry_id
        AND chart.image_tag = winners.reference
        AND chart.image_digest = winners.digest
    ORDER BY winners.helm_registry_id, winners.reference, chart.available DESC,
        chart.created_at DESC, chart.id
), revived AS (
    UPDATE helm_charts AS chart
    SET available = true
    FROM known
    WHERE chart.id = known.id AND NOT chart.available
    RETURNING chart.helm_registry_id, chart.image_tag, chart.error
), added AS (
    INSERT INTO helm_charts AS chart (
        created_at, helm_registry_id, image_digest, image_tag, values_ui, actions_schema, features,
        resource_types, error, tag_format_id, parsed_version, parsed_revision, parsed_branch,
        parsed_commit
    )
    SELECT winners.created_at, winners.helm_registry_id, winners.digest, winners.reference,
        contents.values_ui, contents.actions_schema, contents.features, contents.resource_types,
        contents.error, tag.tag_format_id, tag.parsed_version, tag.parsed_revision,
        tag.parsed_branch, tag.parsed_commit
    FROM winners
    LEFT JOIN helm_chart_contents AS contents ON contents.digest = winners.digest
    CROSS JOIN LATERAL chart_tag_info(
        winners.found_format_id, winners.version, winners.revision, winners.branch, winners.commit,
        contents.chart_version, contents.git_branch, contents.git_commit
    ) AS tag
    WHERE NOT EXISTS (
        SELECT FROM known
        WHERE known.helm_registry_id = winners.helm_registry_id
            AND known.reference = winners.reference
    )
    AND (
        winners.is_requested
        OR NOT EXISTS (
            SELECT FROM dismissed_charts AS dismissed
            WHERE dismissed.registry_host = winners.registry_host
                AND dismissed.repo_name = winners.repo_name
                AND dismissed.reference = winners.reference
                AND dismissed.digest = winners.digest
        )
    )
    ORDER BY winners.helm_registry_id, winners.reference
    RETURNING chart.id, chart.helm_registry_id, chart.image_tag, chart.error
), requested AS (
    DELETE FROM dismissed_charts AS dismissed
    USING winners
    WHERE winners.is_requested
        AND dismissed.registry_host = winners.registry_host
        AND dismissed.repo_name = winners.repo_name
        AND dismissed.reference = winners.reference
        AND dismissed.digest = winners.digest
), described AS (
    INSERT INTO helm_chart_details (chart_id, parsed_with)
    SELECT added.id, coalesce($14, 0) FROM added
)
SELECT winners.registry_host, winners.repo_name, winners.reference, written.error IS NOT NULL
FROM (
    SELECT helm_registry_id, image_tag, error FROM revived
    UNION ALL
    SELECT helm_registry_id, image_tag, error FROM added
) AS written
JOIN winners
    ON winners.helm_registry_id = written.helm_registry_id
    AND winners.reference = written.image_tag"
);

/// Keeps what Platz wrote unless a rescan asks for it: then `$2` has the digest.
const REFRESH: &str = "\
UPDATE helm_charts AS chart
SET values_ui = contents.values_ui, actions_schema = contents.actions_schema,
    features = contents.features, resource_types = contents.resource_types, error = contents.error,
    tag_format_id = tag.tag_format_id, parsed_version = tag.parsed_version,
    parsed_revision = tag.parsed_revision, parsed_branch = tag.parsed_branch,
    parsed_commit = tag.parsed_commit
FROM helm_charts AS old
JOIN helm_chart_contents AS contents ON contents.digest = old.image_digest
LEFT JOIN helm_chart_details AS detail ON detail.chart_id = old.id
CROSS JOIN LATERAL chart_tag_info(
    old.tag_format_id, old.parsed_version, old.parsed_revision, old.parsed_branch,
    old.parsed_commit, contents.chart_version, contents.git_branch, contents.git_commit
) AS tag
WHERE old.image_digest = ANY ($1)
    AND (NOT coalesce(detail.adopted, false) OR old.image_digest = ANY ($2))
    AND chart.id = old.id
    AND (
        chart.values_ui, chart.actions_schema, chart.features, chart.resource_types, chart.error,
        chart.tag_format_id, chart.parsed_version, chart.parsed_revision, chart.parsed_branch,
        chart.parsed_commit
    ) IS DISTINCT FROM (
        contents.values_ui, contents.actions_schema, contents.features, contents.resource_types,
        contents.error, tag.tag_format_id, tag.parsed_version, tag.parsed_revision,
        tag.parsed_branch, tag.parsed_commit
    )
RETURNING chart.error IS NOT NULL";

/// In the order of the ids, so that two batches never deadlock here.
const LOCK_DETAILS: &str = "\
SELECT
FROM helm_chart_details AS detail
JOIN helm_charts AS chart ON chart.id = detail.chart_id
WHERE chart.image_digest = ANY ($1)
ORDER BY detail.chart_id
FOR UPDATE OF detail";

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
/// An observation that only confirms what was known adds no row, and neither does one of a
/// dismissed chart. So a row that an admin deleted stays deleted until a rescan is requested. What
/// a tag tells is up to the SQL function `chart_tag_info`.
pub(super) async fn add_charts(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
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
            (&batch.parsed_with, Type::INT8),             // $14
        ],
    ];
    client.query_typed(ADD, &parameters.concat()).await
}

/// Waits until no one parses the tags of the charts that are about to be refreshed, so that parsing
/// sees the old contents and the refresh comes after it, or the other way round.
pub(super) async fn lock_refreshed(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<(), tokio_postgres::Error> {
    let refreshed = batch.contents.refreshed();
    client.query_typed(LOCK_DETAILS, &[(&refreshed, Type::TEXT_ARRAY)]).await.map(drop)
}

/// Writes contents that were read again into every row of their digest, because contents depend on
/// the digest alone. Returns for each changed row whether the chart is BROKEN.
pub(super) async fn refresh_charts(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let refreshed = batch.contents.refreshed();
    let requested = batch.contents.requested();
    let parameters = [
        (&refreshed as _, Type::TEXT_ARRAY), // $1
        (&requested as _, Type::TEXT_ARRAY), // $2
    ];
    client.query_typed(REFRESH, &parameters).await
}
