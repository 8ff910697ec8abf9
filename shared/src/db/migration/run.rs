//! Transactions of `migrate`, of which only one runs at a time.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::FoundDatabase;
use crate::db::{Database, Error};

/// Two runs of `migrate` wait for each other at this lock. The number has no meaning, but nothing
/// else may use it.
const LOCK: i64 = 4_848_160_101;

/// Time for one transaction, waiting for another run included. Lambda's own limit is 15 minutes.
pub(super) const DEADLINE: Duration = Duration::from_mins(14);

/// Undoes settings of the role or the database under which a migration would fail or write
/// something else.
const SETTINGS: &str = "\
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL standard_conforming_strings = on";

/// Names the schema that has the tables, if there are any, because another one may come first in
/// the search path.
const PIN_SCHEMA: &str = "\
SELECT set_config('search_path', quote_ident(nspname), true)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = to_regclass('helm_charts')";

/// The owner must own our objects too, because Platz's own backup logs in as the owner.
const BECOME_OWNER: &str = "\
SELECT set_config('role', pg_get_userbyid(relowner), true)
FROM pg_class
WHERE oid = to_regclass('helm_charts')";

/// Opens a transaction in which the settings of the login do not count.
pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    let builder = client.build_transaction();
    let builder = builder.isolation_level(IsolationLevel::ReadCommitted).read_only(false);
    let transaction = builder.start().await?;
    transaction.batch_execute(SETTINGS).await?;
    transaction.batch_execute(PIN_SCHEMA).await?;
    Ok(transaction)
}

/// Opens a transaction as [`begin`] does, when no other run of `migrate` has one open. Returns what
/// the database contains. The lock ends with the transaction, so that it works behind a pooler in
/// transaction mode.
pub(super) async fn begin_alone(
    client: &mut Client,
) -> Result<(Transaction<'_>, FoundDatabase), tokio_postgres::Error> {
    let transaction = begin(client).await?;
    let lock = "SELECT pg_advisory_xact_lock($1)";
    transaction.query_typed(lock, &[(&LOCK, Type::INT8)]).await?;
    // Another run may have made the tables while this one waited.
    transaction.batch_execute(PIN_SCHEMA).await?;
    let found = FoundDatabase::read(&transaction).await?;
    if found.is_adopted() {
        become_owner(&transaction).await?;
    }
    Ok((transaction, found))
}

/// Makes the rest of the transaction act as the owner of the tables.
///
/// # Errors
/// When the login is neither the owner nor a member of it.
pub async fn become_owner(transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute(BECOME_OWNER).await
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
            let (transaction, found) = begin_alone(client).await?;
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
