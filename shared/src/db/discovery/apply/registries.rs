//! The registry rows of new charts.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::columns::{ObservationColumns, seen};
use crate::domain::KindNaming;

const ENSURE_REGISTRIES: &str = concat!(
    "\
SELECT ensure_registry(missing.domain_name, missing.repo_name, missing.provider, $9)
FROM (
    SELECT DISTINCT ON (seen.registry_host, seen.repo_name)
        seen.domain_name, seen.repo_name, seen.provider
    FROM ",
    seen!(", $7::text[], $8::text[]", ", domain_name, provider"),
    "
    JOIN observations AS stored USING (registry_host, repo_name, reference)
    LEFT JOIN helm_registries AS registry
        ON registry_host(registry.domain_name) = seen.registry_host
        AND registry.repo_name = seen.repo_name
    WHERE seen.is_chart
        AND stored.observed_at = seen.observed_at
        AND stored.digest = seen.digest
        AND registry.id IS NULL
    ORDER BY seen.registry_host, seen.repo_name
) AS missing"
);

/// Makes the missing registry rows of observations that won and found charts. A new registry row
/// gets a kind, which is made as well if it is missing.
pub(super) async fn ensure_registries(
    client: &Client,
    batch: &ObservationColumns<'_>,
    kind_naming: KindNaming,
) -> Result<(), tokio_postgres::Error> {
    let has_full_kind_name = kind_naming == KindNaming::Path;
    let parameters = [
        &batch.parameters()[..],
        &[
            (&batch.domain_names, Type::TEXT_ARRAY), // $7
            (&batch.providers, Type::TEXT_ARRAY),    // $8
            (&has_full_kind_name, Type::BOOL),       // $9
        ],
    ];
    client.query_typed(ENSURE_REGISTRIES, &parameters.concat()).await.map(drop)
}
