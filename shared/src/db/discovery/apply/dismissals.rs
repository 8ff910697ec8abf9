//! Charts that a person dismissed: their row was deleted by hand.

use tokio_postgres::Client;

use super::columns::{ObservationColumns, seen};

/// Only a chart can be dismissed. A digest is a chart's if its contents are stored, or if any row
/// has it. An adoption makes observations from rows alone, and dates them to the year 2000.
///
/// Writing in key order prevents a deadlock between two batches.
const DISMISS: &str = concat!(
    "\
INSERT INTO dismissed_charts (registry_host, repo_name, reference, digest)
SELECT stored.registry_host, stored.repo_name, stored.reference, stored.digest
FROM ",
    seen!(),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
WHERE stored.digest IS NOT NULL
    AND stored.digest IS DISTINCT FROM seen.digest
    AND strpos(stored.reference, ':') = 0
    AND (
        stored.changed_at = '2000-01-01 00:00:00Z'
        OR EXISTS (
            SELECT FROM helm_chart_contents AS contents WHERE contents.digest = stored.digest
        )
        OR EXISTS (SELECT FROM helm_charts AS other WHERE other.image_digest = stored.digest)
    )
    AND NOT EXISTS (
        SELECT
        FROM helm_registries AS registry
        JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
        WHERE registry_host(registry.domain_name) = stored.registry_host
            AND registry.repo_name = stored.repo_name
            AND chart.image_tag = stored.reference
            AND chart.image_digest = stored.digest
    )
ORDER BY stored.registry_host, stored.repo_name, stored.reference
ON CONFLICT DO NOTHING"
);

/// Remembers the digests that tags had until now, and whose row is gone. Runs before the
/// observations are stored, because it reads the old ones.
pub(super) async fn dismiss_charts(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<(), tokio_postgres::Error> {
    client.execute_typed(DISMISS, &batch.parameters()).await.map(drop)
}
