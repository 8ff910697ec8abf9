//! Transactions of `migrate`, of which only one runs at a time.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Transaction};

use super::FoundDatabase;
use crate::db::{Database, Error};

/// Two runs of `migrate` wait for each other at this lock. The number has no meaning, but nothing
/// else may use it.
const LOCK: i64 = 4_848_160_101;

/// Time for one transaction, waiting for another run included. Lambda's own limit is 15 minutes.
pub(super) const DEADLINE: Duration = Duration::from_mins(14);

/// Waits until no other run of `migrate` has a transaction open. The lock ends with the
/// transaction, so that it works behind a pooler in transaction mode.
pub(super) async fn lock(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    let sql = "SELECT pg_advisory_xact_lock($1)";
    transaction.query_typed(sql, &[(&LOCK, Type::INT8)]).await.map(|_| ())
}

impl Database {
    /// Calls `migrate` in a transaction, with what the database contains, and commits. No other run
    /// has a transaction at the same time. After an error of `migrate` nothing is changed.
    ///
    /// # Errors
    /// When the database cannot be reached. The error of `migrate` is the inner one.
    pub async fn migrate<T, E>(
        &self,
        migrate: impl AsyncFnOnce(&Transaction<'_>, FoundDatabase) -> Result<T, E>,
    ) -> Result<Result<T, E>, Error> {
        self.run_within(DEADLINE, "run the migrations", async |client: &mut Client| {
            let transaction = client.transaction().await?;
            lock(&transaction).await?;
            let found = FoundDatabase::read(&transaction).await?;
            let outcome = migrate(&transaction, found).await;
            match outcome {
                Ok(_) => transaction.commit().await?,
                Err(_) => transaction.rollback().await?,
            }
            Ok(outcome)
        })
        .await
    }

    /// Reads whose tables there are.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn found(&self) -> Result<FoundDatabase, Error> {
        self.run("tell whose tables it has", async |client: &mut Client| {
            FoundDatabase::read(&*client).await
        })
        .await
    }
}
