//! The generation of the instance that writes, and the repositories that change with it.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::columns::ObservationColumns;
use super::writer::Writer;

const RAISE_GENERATION: &str = "\
WITH raised AS (
    INSERT INTO discovery_instances AS instance (name, generation)
    SELECT $1, 1
    WHERE $1 IS NOT NULL
    ON CONFLICT (name) DO UPDATE
    SET generation = instance.generation + 1
    RETURNING instance.generation
), noted AS (
    INSERT INTO instance_changes (instance, generation, repo_name)
    SELECT DISTINCT $1, raised.generation, seen.repo_name
    FROM raised
    CROSS JOIN unnest($2::text[]) AS seen (repo_name)
    ON CONFLICT DO NOTHING
)
SELECT generation FROM raised";

/// Raises the generation of an instance, and returns it; nothing without an instance. Notes the
/// repositories of the batch if the writer says so. Runs last, because concurrent batches of an
/// instance wait for each other at this row.
pub(super) async fn raise_generation(
    client: &Client,
    batch: &ObservationColumns<'_>,
    writer: Writer<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let Writer { instance, notes_changes, .. } = writer;
    let repositories: &[&str] = if notes_changes { &batch.subjects.repo_names } else { &[] };
    let parameters = [(&instance as _, Type::TEXT), (&repositories as _, Type::TEXT_ARRAY)];
    client.query_typed(RAISE_GENERATION, &parameters).await
}
