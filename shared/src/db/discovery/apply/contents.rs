//! The contents of charts, by digest.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::columns::ObservationColumns;
use crate::domain::CONTENTS_VERSION;

/// Writes contents only if they differ from the stored ones. Incomplete ones never replace complete
/// ones, because another registry may lack what this one has. Writing in the order of the digests
/// prevents a deadlock between two batches.
const STORE: &str = "\
INSERT INTO helm_chart_contents AS stored (
    digest, chart_name, chart_version, app_version, description, git_commit, git_branch, git_repo,
    values_ui, actions_schema, features, resource_types, error, is_incomplete, metadata, left_out,
    has_provenance, readme, values_yaml, values_schema, contents_version
)
SELECT given.digest, read.*, given.readme, given.values_yaml, given.values_schema, $6::smallint
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    AS given (digest, contents, readme, values_yaml, values_schema)
CROSS JOIN LATERAL jsonb_to_record(given.contents::jsonb) AS read (
    chart_name text, chart_version text, app_version text, description text,
    git_commit text, git_branch text, git_repo text,
    values_ui jsonb, actions_schema jsonb, features jsonb, resource_types jsonb, error text,
    is_incomplete boolean, metadata jsonb, left_out jsonb, has_provenance boolean
)
ORDER BY given.digest
ON CONFLICT (digest) DO UPDATE
SET chart_name = excluded.chart_name, chart_version = excluded.chart_version,
    app_version = excluded.app_version, description = excluded.description,
    git_commit = excluded.git_commit, git_branch = excluded.git_branch,
    git_repo = excluded.git_repo, values_ui = excluded.values_ui,
    actions_schema = excluded.actions_schema, features = excluded.features,
    resource_types = excluded.resource_types, error = excluded.error,
    is_incomplete = excluded.is_incomplete, metadata = excluded.metadata,
    left_out = excluded.left_out, has_provenance = excluded.has_provenance,
    readme = excluded.readme, values_yaml = excluded.values_yaml,
    values_schema = excluded.values_schema, contents_version = excluded.contents_version
WHERE stored IS DISTINCT FROM excluded AND (stored.is_incomplete OR NOT excluded.is_incomplete)";

/// Stores the contents that a batch brings, by digest.
pub(super) async fn store_contents(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<(), tokio_postgres::Error> {
    let contents = batch.contents.all();
    let parameters = [
        (&contents.digests as _, Type::TEXT_ARRAY),        // $1
        (&contents.json as _, Type::TEXT_ARRAY),           // $2
        (&contents.readmes as _, Type::TEXT_ARRAY),        // $3
        (&contents.values as _, Type::TEXT_ARRAY),         // $4
        (&contents.values_schemas as _, Type::TEXT_ARRAY), // $5
        (&CONTENTS_VERSION as _, Type::INT2),              // $6
    ];
    client.execute_typed(STORE, &parameters).await.map(drop)
}
