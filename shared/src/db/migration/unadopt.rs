//! Gives a database back to Platz.

use super::attach::TABLES;
use crate::db::{Database, Error};

impl Database {
    /// Removes what discovery made in a database of Platz's, in one transaction. Platz's tables
    /// stay as they are. `statements` drop what an adoption and the migrations made. Returns false
    /// if another run of `migrate` did it first.
    ///
    /// # Errors
    /// [`Error::Locked`] when another session, a backup for instance, held a lock on one of the
    /// tables for a minute; nothing is changed then.
    pub async fn unadopt(&self, statements: &str) -> Result<bool, Error> {
        // Takes all locks first, so that nothing is dropped before all of them are free.
        let tables = TABLES.join(", ");
        let statements = format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;\n{statements}");
        self.run_between_others("give the database back", &statements).await
    }
}
