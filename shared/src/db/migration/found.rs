//! Whose tables are in the database, which decides what `migrate` may do to it.

use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};

use crate::db::Layout;

/// Tables by which a database of ours or of Platz's is recognised.
const KNOWN_TABLES: [&str; 7] = [
    "__diesel_schema_migrations",
    "helm_charts",
    "helm_registries",
    "helm_tag_formats",
    "k8s_deployment_kinds",
    "observations",
    "refinery_schema_history",
];

const PRESENT: &str = "\
SELECT tables.name
FROM unnest($1::text[]) AS tables (name)
WHERE to_regclass(quote_ident(tables.name)) IS NOT NULL
ORDER BY tables.name";

const LAYOUT: &str = "SELECT layout, adopted_at IS NOT NULL FROM discovery_layout";

/// Another program's table of this name has no such column.
const HAS_LAYOUT: &str = "\
SELECT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('discovery_layout') AND attname = 'adopted_at'
)";

/// Whose tables are in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundDatabase {
    /// There is no table that we know.
    Empty,
    /// `migrate` made the tables.
    Own,
    /// `migrate` of version 1 made the tables, in another layout.
    Version1,
    /// Platz's backend made the tables, and `migrate` has not adopted them.
    Platz,
    /// Platz's backend made the tables, and `migrate` has adopted them.
    Adopted {
        /// Whether the adoption came to its end.
        is_finished: bool,
    },
    /// Another program made the tables.
    Foreign {
        /// Those of the known tables that the database has.
        tables: Vec<String>,
    },
}

impl FoundDatabase {
    /// Tells whether `migrate` has adopted Platz's tables, or has begun to.
    pub(super) fn is_adopted(&self) -> bool {
        matches!(self, Self::Adopted { .. })
    }

    /// Reads from the catalog whose tables there are.
    pub(super) async fn read(client: &impl GenericClient) -> Result<Self, tokio_postgres::Error> {
        if client.query_typed_one(HAS_LAYOUT, &[]).await?.try_get(0)? {
            let row = client.query_typed_one(LAYOUT, &[]).await?;
            return Ok(match Layout::of(row.try_get(0)?) {
                Layout::Own => Self::Own,
                Layout::Platz => Self::Adopted { is_finished: row.try_get(1)? },
            });
        }
        let known: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
            &[(&KNOWN_TABLES.as_slice(), Type::TEXT_ARRAY)];
        let rows = client.query_typed(PRESENT, known).await?;
        let name = |row: &Row| row.try_get::<_, String>(0);
        let tables: Vec<String> = rows.iter().map(name).collect::<Result<_, _>>()?;
        let has = |name: &str| tables.iter().any(|table| table == name);
        Ok(if tables.is_empty() {
            Self::Empty
        } else if has("__diesel_schema_migrations") {
            Self::Platz
        } else if has("refinery_schema_history") && has("observations") {
            Self::Version1
        } else {
            Self::Foreign { tables }
        })
    }
}
