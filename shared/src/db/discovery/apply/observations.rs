//! The guard: which observations win. The table `observations` keeps the newest one per subject.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::columns::{ObservationColumns, seen};

/// Locks rows in key order, so that two batches never deadlock here.
const RECORD: &str = concat!(
    "\
INSERT INTO observations AS stored
    (registry_host, repo_name, reference, digest, observed_at, changed_at)
SELECT seen.registry_host, seen.repo_name, seen.reference, seen.digest, seen.observed_at,
    seen.observed_at
FROM ",
    seen!(),
    "
WHERE seen.observed_at > clock_timestamp() - interval '15 minutes'
    AND seen.observed_at <= clock_timestamp()
    AND NOT EXISTS (
        SELECT FROM observations AS doubt
        WHERE doubt.registry_host = seen.registry_host
            AND doubt.repo_name = seen.repo_name
            AND doubt.reference = seen.digest
            AND doubt.observed_at > seen.observed_at
            AND doubt.observed_at <= clock_timestamp()
    )
ORDER BY seen.registry_host, seen.repo_name, seen.reference
ON CONFLICT (registry_host, repo_name, reference) DO UPDATE
SET digest = excluded.digest,
    observed_at = excluded.observed_at,
    changed_at = CASE
        WHEN stored.digest IS DISTINCT FROM excluded.digest THEN excluded.observed_at
        WHEN stored.changed_at > clock_timestamp()
            THEN excluded.observed_at - interval '1 microsecond'
        ELSE stored.changed_at
    END,
    missing_since = CASE
        WHEN excluded.digest IS NOT NULL
            AND stored.missing_since > excluded.observed_at
            AND stored.missing_since <= clock_timestamp()
            THEN stored.missing_since
    END
WHERE stored.observed_at <= excluded.observed_at
    OR stored.observed_at > clock_timestamp()"
);

const FIND_OUTDATED: &str = concat!(
    "\
SELECT seen.registry_host, seen.repo_name, seen.reference
FROM ",
    seen!(", $7::boolean[]", ", is_requested"),
    "
LEFT JOIN observations AS stored USING (registry_host, repo_name, reference)
WHERE CASE
    WHEN stored.observed_at > seen.observed_at AND stored.observed_at <= clock_timestamp()
        THEN seen.is_requested
    ELSE seen.observed_at <= clock_timestamp() - interval '15 minutes'
        OR seen.observed_at > clock_timestamp()
        OR EXISTS (
            SELECT FROM observations AS doubt
            WHERE doubt.registry_host = seen.registry_host
                AND doubt.repo_name = seen.repo_name
                AND doubt.reference = seen.digest
                AND doubt.observed_at > seen.observed_at
                AND doubt.observed_at <= clock_timestamp()
        )
    END"
);

/// Stores the observations that win. An observation wins unless one of these is true:
///
/// - The table has a newer observation of the same subject.
/// - The table has a newer observation of the digest that the tag resolved to. An event said that
///   this digest was deleted, so the tag may be deleted too.
/// - It is older than 15 minutes, because Lambda may have frozen the sandbox that made it.
/// - It is from the future, because the database's clock was ahead and came back.
///
/// A mark of a missing tag stays if it is newer than the observation, in whatever order they
/// arrive.
///
/// A stored observation from the future loses too. `changed_at` then stays before the observation
/// that found the same digest, so that nothing counts as changed.
pub(super) async fn record(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<(), tokio_postgres::Error> {
    client.execute_typed(RECORD, &batch.parameters()).await.map(drop)
}

/// Returns the subjects that must be looked at again, for the last three reasons in [`record`]. A
/// requested subject counts for the first reason too, because the newer observation may have read
/// no contents.
///
/// Runs after COMMIT, because a concurrent look at a digest may have missed our rows while we
/// missed its observation.
pub(super) async fn find_outdated(
    client: &Client,
    batch: &ObservationColumns<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let more = [(&batch.are_requested as _, Type::BOOL_ARRAY)]; // $7
    client.query_typed(FIND_OUTDATED, &[&batch.parameters()[..], &more].concat()).await
}
