//! A change that somebody makes by hand: what the row was and what it is, in one transaction and one round trip.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connection::Parameters;
use super::{Database, Error};

/// A row before and after a change. They are equal when there was nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// As it was.
    pub before: T,
    /// As it is.
    pub after: T,
}

impl Database {
    /// Runs some statements between two looks at a row, which `get` gives by its id and `lock` keeps others from.
    pub(super) async fn change<T>(
        &self,
        what: &'static str,
        (lock, get): (&str, &str),
        id: Uuid,
        statements: &[(&str, Parameters<'_>)],
        read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Option<Change<T>>, Error> {
        let by_id: Parameters<'_> = &[(&id, Type::UUID)];
        // After an error the commit rolls back. Whoever changes the same row waits for the lock.
        let mut sent: Vec<(&str, Parameters<'_>)> = vec![("BEGIN", &[]), (lock, by_id), (get, by_id)];
        sent.extend_from_slice(statements);
        sent.extend([(get, by_id), ("COMMIT", &[])]);
        let answers = match self.query_all(what, &sent).await {
            // A deadlock, or a connection that is found dead.
            Err(error) if error.is_transient() && !error.is_kind_missing() => self.query_all(what, &sent).await?,
            other => other?,
        };
        let (before, after) = (answers.get(2), answers.iter().rev().nth(1));
        let (before, after) = (before.and_then(|rows| rows.first()), after.and_then(|rows| rows.first()));
        let (Some(before), Some(after)) = (before, after) else { return Ok(None) };
        let read = |row| read(row).map_err(|source| Error::Query { what, source });
        Ok(Some(Change { before: read(before)?, after: read(after)? }))
    }
}
