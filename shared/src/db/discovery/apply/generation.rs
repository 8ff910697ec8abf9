//! The generation of the instance that writes.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

const RAISE_GENERATION: &str = "\
INSERT INTO discovery_instances AS instance (name, generation)
SELECT $1, 1
WHERE $1 IS NOT NULL
ON CONFLICT (name) DO UPDATE
SET generation = instance.generation + 1
RETURNING instance.generation";

/// Raises the generation of an instance, and returns it; nothing without an instance. Runs last,
/// because concurrent batches of an instance wait for each other at this row.
pub(super) async fn raise_generation(
    client: &Client,
    instance: Option<&str>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    client.query_typed(RAISE_GENERATION, &[(&instance, Type::TEXT)]).await
}
