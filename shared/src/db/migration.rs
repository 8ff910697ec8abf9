//! What `migrate` asks of the database beside the migrations themselves.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::{Database, Error};

/// Two runs of `migrate` wait for each other here. The number means nothing; it only must be used
/// for nothing else.
const LOCK: i64 = 4_848_160_101;

/// Time for all migrations together, waiting for another run included. Lambda's own limit is 15
/// minutes.
const MIGRATION_DEADLINE: Duration = Duration::from_mins(14);

/// Tables named as ours in a database without our history: the predecessor's, or somebody else's.
const FOREIGN_TABLES: &str = "\
SELECT tables.name
FROM unnest($1::text[]) AS tables (name)
WHERE to_regclass('refinery_schema_history') IS NULL AND to_regclass(quote_ident(tables.name)) IS \
NOT NULL
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

/// What a run of the migrations came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Migration<T> {
    /// It was done, with this result.
    Done(T),
    /// Nothing was done: the database has these tables, and no history of ours that made them.
    Refused {
        /// The tables' names.
        tables: Vec<String>,
    },
}

impl Database {
    /// Runs migrations with nobody else running them, on a database that is empty or ours.
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
