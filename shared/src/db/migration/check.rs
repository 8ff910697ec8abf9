//! What stands in the way of an adoption, and what is worth knowing before it. Reads only.

use serde::Serialize;
use tokio_postgres::{Client, Row, Transaction};

use super::FoundDatabase;
use super::run::{DEADLINE, begin};
use crate::db::{Database, Error};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Must be solved before the database can be adopted.
    Stop,
    /// Worth knowing.
    Tell,
}

/// What was found in a database of Platz's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it stands in the way.
    pub level: Level,
    /// A sentence, with what to do where something can be done.
    pub what: String,
    /// How many rows, columns, names or sessions there are of it.
    pub count: i64,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What stands in the way first.
    pub findings: Vec<Finding>,
    /// Whether nothing stands in the way.
    pub adoptable: bool,
}

/// Findings about the login and the other sessions: `level`, `what`, `count`.
const SESSIONS: &str = include_str!("check_sessions.sql");

/// The longest wait for a table that another session has locked.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '10s'";

/// Findings of the catalog.
const CATALOG: &str = include_str!("check_catalog.sql");

/// Findings of the rows, which can be read only when the catalog is as expected.
const ROWS: &str = include_str!("check_rows.sql");

impl Database {
    /// Looks for what stands in the way of an adoption. Writes nothing.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn check_adoption(&self) -> Result<Check, Error> {
        self.run_within(DEADLINE, "check the database", async |client: &mut Client| {
            let transaction = begin(client).await?;
            transaction.batch_execute(LOCK_TIMEOUT).await?;
            Check::read(&transaction).await
        })
        .await
    }
}

impl Check {
    /// Looks for what stands in the way, also within the transaction of an adoption. Writes
    /// nothing.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn read(transaction: &Transaction<'_>) -> Result<Self, tokio_postgres::Error> {
        let found = FoundDatabase::read(transaction).await?;
        let is_finished = found == FoundDatabase::Adopted { is_finished: true };
        let mut findings = Vec::from_iter(Finding::of(&found));
        if may_continue(&findings) && !is_finished {
            findings.extend(read(transaction, SESSIONS).await?);
        }
        for sql in [CATALOG, ROWS] {
            if found == FoundDatabase::Platz && may_continue(&findings) {
                findings.extend(read(transaction, sql).await?);
            }
        }
        findings.sort_by_key(|finding| finding.level == Level::Tell);
        let adoptable = may_continue(&findings);
        Ok(Self { findings, adoptable })
    }
}

fn may_continue(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level == Level::Tell)
}

async fn read(
    transaction: &Transaction<'_>,
    sql: &str,
) -> Result<Vec<Finding>, tokio_postgres::Error> {
    transaction.query_typed(sql, &[]).await?.iter().map(Finding::read).collect()
}

impl Finding {
    /// Returns the finding for a database that is not Platz's, or is adopted already.
    fn of(found: &FoundDatabase) -> Option<Self> {
        let (level, what) = match found {
            FoundDatabase::Platz => return None,
            FoundDatabase::Adopted { is_finished: true } => {
                (Level::Tell, "the database is adopted already: there is nothing to do".to_owned())
            }
            FoundDatabase::Adopted { is_finished: false } => (
                Level::Tell,
                "an adoption was interrupted: invoke {\"adopt\":true} to finish it, or \
                 {\"unadopt\":true} to give the database back"
                    .to_owned(),
            ),
            FoundDatabase::Empty => (
                Level::Stop,
                "the database is empty: invoke migrate with {} instead, or point DATABASE_URL at \
                 Platz's database"
                    .to_owned(),
            ),
            FoundDatabase::Own | FoundDatabase::Version1 => (
                Level::Stop,
                "the tables are our own, not Platz's: there is nothing to adopt".to_owned(),
            ),
            FoundDatabase::Foreign { tables } => (
                Level::Stop,
                format!(
                    "no __diesel_schema_migrations, but {}: these tables are not Platz's",
                    tables.join(", ")
                ),
            ),
        };
        Some(Self { level, what, count: 1 })
    }

    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let level: &str = row.try_get("level")?;
        Ok(Self {
            level: if level == "stop" { Level::Stop } else { Level::Tell },
            what: row.try_get("what")?,
            count: row.try_get("count")?,
        })
    }
}
