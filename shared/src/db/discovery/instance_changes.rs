//! The repositories that writers beside the passes of an instance changed.

use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// A repository that a transaction changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedChange {
    /// The instance's generation after the transaction.
    pub generation: i64,
    /// The repository's name.
    pub repository: String,
}

const CHANGES_AFTER: &str = "\
SELECT generation, repo_name
FROM instance_changes
WHERE instance = $1 AND generation > $2
ORDER BY generation";

/// Needs an instance and a generation.
pub(super) const FORGET_CHANGES: &str = "\
DELETE FROM instance_changes
WHERE instance = $1 AND generation <= $2";

impl Database {
    /// Returns the changes since a generation.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn changes_after(
        &self,
        instance: &str,
        generation: i64,
    ) -> Result<Vec<NotedChange>, Error> {
        let what = "read the changes of other writers";
        let parameters: Parameters<'_> = &[(&instance, Type::TEXT), (&generation, Type::INT8)];
        let rows = self.query(what, CHANGES_AFTER, parameters).await?;
        let unreadable = |source| Error::Query { what, source };
        let change = |row: &tokio_postgres::Row| {
            Ok(NotedChange { generation: row.try_get(0)?, repository: row.try_get(1)? })
        };
        rows.iter().map(change).collect::<Result<_, _>>().map_err(unreadable)
    }
}
