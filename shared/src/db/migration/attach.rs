//! Statements that change Platz's tables. They give up quickly if a lock is not free, because other
//! sessions queue behind a statement that waits.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::run::{DEADLINE, begin_alone};
use crate::db::{Database, Error};

/// The longest wait for one lock.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '50ms'";

/// The time after which the attempts end.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two attempts, in which other sessions get the lock.
const PAUSE: Duration = Duration::from_millis(200);

/// The other sessions that hold a lock on one of the tables.
const HOLDERS: &str = "\
SELECT string_agg(DISTINCT
    format('session %s of %s (%s, %s, transaction since %s)', activity.pid, activity.usename,
        coalesce(nullif(activity.application_name, ''), 'without a name'), activity.state,
        activity.xact_start::timestamptz(0)), ', ')
FROM pg_locks AS held
JOIN pg_stat_activity AS activity ON activity.pid = held.pid
WHERE held.granted
    AND held.relation IN (
        SELECT to_regclass(quote_ident(name)) FROM unnest($1::text[]) AS tables (name)
    )
    AND held.pid <> pg_backend_pid()";

/// Platz's tables that an adoption touches.
pub(super) const TABLES: [&str; 4] =
    ["deployment_kinds", "helm_registries", "helm_tag_formats", "helm_charts"];

impl Database {
    /// Runs statements in one transaction that waits at most 50 ms for each lock. If a lock is not
    /// free, rolls back and tries again. Returns false, and runs nothing, if another run of
    /// `migrate` has given the database back to Platz.
    ///
    /// # Errors
    /// [`Error::Locked`] when a lock was not free within a minute; nothing is changed then.
    pub(super) async fn run_between_others(
        &self,
        what: &'static str,
        statements: &str,
    ) -> Result<bool, Error> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let attempt = self
                .run_within(DEADLINE, what, async |client: &mut Client| {
                    let (transaction, found) = begin_alone(client).await?;
                    if !found.is_adopted() {
                        return Ok(false);
                    }
                    transaction.batch_execute(LOCK_TIMEOUT).await?;
                    transaction.batch_execute(statements).await?;
                    transaction.commit().await?;
                    Ok(true)
                })
                .await;
            match attempt {
                Err(Error::Query { source, .. })
                    if source.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) =>
                {
                    if Instant::now() >= give_up {
                        let holders = self.holders().await?;
                        let seconds = PATIENCE.as_secs();
                        return Err(Error::Locked { what, seconds, holders });
                    }
                    sleep(PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// Names the sessions that hold a lock on one of Platz's tables.
    async fn holders(&self) -> Result<String, Error> {
        let what = "tell which session holds the lock";
        let rows = self.query(what, HOLDERS, &[(&TABLES.as_slice(), Type::TEXT_ARRAY)]).await?;
        let holders = |row: &Row| row.try_get::<_, Option<String>>(0);
        let holders = rows.first().map(holders).transpose();
        let holders = holders.map_err(|source| Error::Query { what, source })?.flatten();
        Ok(holders.unwrap_or_else(|| "a session that has ended since".to_owned()))
    }
}
