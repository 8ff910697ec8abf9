//! The second half of an adoption, after the migrations: adds to Platz's tables, records what their
//! rows say, and marks the adoption as finished.

use serde::Serialize;
use tokio_postgres::{Client, Row};

use super::run::{DEADLINE, begin_alone};
use crate::db::{Database, Error};

/// The number of rows that an adoption found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// Rows of `deployment_kinds`.
    pub kinds: i64,
    /// Rows of `helm_registries`.
    pub registries: i64,
    /// Rows of `helm_charts`.
    pub charts: i64,
    /// Tags that an available chart has.
    pub tags: i64,
}

/// Counts once, so that a repeated adoption gives the same answer.
const FINISH: &str = "\
UPDATE discovery_layout
SET adopted_at = clock_timestamp(),
    adopted = jsonb_build_object(
        'kinds', (SELECT count(*) FROM k8s_deployment_kinds),
        'registries', (SELECT count(*) FROM helm_registries),
        'charts', (SELECT count(*) FROM helm_chart_details WHERE adopted),
        'tags', (SELECT count(*) FROM observations)
    )
WHERE adopted_at IS NULL";

const ADOPTED: &str = "\
SELECT (adopted -> 'kinds')::bigint, (adopted -> 'registries')::bigint,
    (adopted -> 'charts')::bigint, (adopted -> 'tags')::bigint
FROM discovery_layout";

/// Our tables that the seed fills, for the planner.
const ANALYZE: &str = "ANALYZE helm_chart_details, observations";

impl Database {
    /// Finishes the adoption of a database of Platz's that has our migrations. Runs each statement
    /// of `attach`, which change Platz's tables, in its own transaction, and then `seed`, which
    /// reads their rows. Safe to repeat, even while another run is under way.
    ///
    /// # Errors
    /// [`Error::Locked`] when another session held a lock on one of the tables for a minute. What
    /// was done by then stays, and the next adoption continues from there. [`Error::GivenBack`]
    /// when another run gave the database back meanwhile.
    pub async fn adopt(&self, attach: &str, seed: &str) -> Result<Adopted, Error> {
        let what = "add to Platz's tables";
        for statement in attach.split_inclusive(";\n") {
            if !self.run_between_others(what, statement).await? {
                return Err(Error::GivenBack { what });
            }
        }
        let what = "note what the rows say";
        let seed = async |client: &mut Client| {
            let (transaction, found) = begin_alone(client).await?;
            if !found.is_adopted() {
                return Ok(false);
            }
            transaction.batch_execute(seed).await?;
            transaction.batch_execute(FINISH).await?;
            transaction.batch_execute(ANALYZE).await?;
            transaction.commit().await?;
            Ok(true)
        };
        if !self.run_within(DEADLINE, what, seed).await? {
            return Err(Error::GivenBack { what });
        }
        self.adopted().await
    }

    /// What the finished adoption found.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn adopted(&self) -> Result<Adopted, Error> {
        let what = "tell what was adopted";
        let rows = self.query(what, ADOPTED, &[]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        Adopted::read(row).map_err(|source| Error::Query { what, source })
    }
}

impl Adopted {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            kinds: row.try_get(0)?,
            registries: row.try_get(1)?,
            charts: row.try_get(2)?,
            tags: row.try_get(3)?,
        })
    }
}
