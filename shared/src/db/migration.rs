//! The lock and the check around the migrations that `migrate` runs.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::{Database, Error};

/// The key of the advisory lock at which runs of `migrate` wait for each other. The number is
/// arbitrary, but nothing else may use it.
const LOCK: i64 = 4_848_160_101;

/// Time for all migrations together, including the wait for another run. Lambda's own limit is 15
/// minutes.
const MIGRATION_DEADLINE: Duration = Duration::from_mins(14);

/// Finds tables with our names in a database without our history. Another program made them,
/// perhaps the predecessor.
const FOREIGN_TABLES: &str = "\
SELECT tables.name
FROM unnest($1::text[]) AS tables (name)
WHERE to_regclass('refinery_schema_history') IS NULL
    AND to_regclass(quote_ident(tables.name)) IS NOT NULL
ORDER BY tables.name";

/// The tables that only ours or the predecessor's database has.
const TABLES: [&str; 6] = [
    "__diesel_schema_migrations",
    "helm_charts",
    "helm_registries",
    "helm_tag_formats",
    "k8s_deployment_kinds",
    "observations",
];

/// The outcome of a run of the migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Migration<T> {
    /// The migrations ran, with this result.
    Done(T),
    /// Nothing ran, because another program made these tables.
    Refused {
        /// The tables' names.
        tables: Vec<String>,
    },
}

impl Database {
    /// Runs migrations while no other run can, on a database that is empty or ours.
    ///
    /// # Errors
    /// When the database cannot be reached, or `migrate` fails.
    pub async fn migrate<T>(
        &self,
        migrate: impl AsyncFnOnce(&mut Client) -> T,
    ) -> Result<Migration<T>, Error> {
        self.run_within(MIGRATION_DEADLINE, "run the migrations", async |client| {
            client.query_typed("SELECT pg_advisory_lock($1)", &[(&LOCK, Type::INT8)]).await?;
            let foreign = client
                .query_typed(FOREIGN_TABLES, &[(&TABLES.as_slice(), Type::TEXT_ARRAY)])
                .await?;
            let outcome = if foreign.is_empty() {
                Migration::Done(migrate(client).await)
            } else {
                let name = |row: &Row| row.try_get::<_, String>(0);
                Migration::Refused { tables: foreign.iter().map(name).collect::<Result<_, _>>()? }
            };
            client.query_typed("SELECT pg_advisory_unlock($1)", &[(&LOCK, Type::INT8)]).await?;
            Ok(outcome)
        })
        .await
    }
}
