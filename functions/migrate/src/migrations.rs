//! The migrations, embedded, and how refinery applies them in a transaction that is open already.

use refinery::{Migration, Report, Runner};
use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use shared::db::Layout;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::{Error, Row, Transaction};

mod own {
    refinery::embed_migrations!("../../migrations/own");
}
mod platz {
    refinery::embed_migrations!("../../migrations/platz");
}
mod both {
    refinery::embed_migrations!("../../migrations/both");
}

/// The statements that an adoption adds to Platz's tables.
pub(crate) const ATTACH: &str = include_str!("../../../migrations/platz/attach.sql");

/// The statements that note what Platz's rows say.
pub(crate) const SEED: &str = include_str!("../../../migrations/platz/seed.sql");

/// The statements that take an adoption back.
pub(crate) const UNADOPT: &str = include_str!("../../../migrations/platz/unadopt.sql");

/// The statements that give the functions' role its rights.
const GRANTS: &str = include_str!("../../../migrations/both/grants.sql");

/// What the role needs as well in a database of Platz's.
const GRANTS_PLATZ: &str = include_str!("../../../migrations/platz/grants.sql");

/// What a run of the migrations did.
#[derive(Debug)]
pub(crate) struct AppliedMigrations {
    /// The names of the files that it applied, without their ending.
    pub(crate) names: Vec<String>,
    /// The newest migration that the database now has.
    pub(crate) current: i32,
}

/// Applies the migrations that the database does not have yet.
///
/// # Errors
/// When the database refuses one, or has one that differs from ours.
pub(crate) async fn apply(
    transaction: &Transaction<'_>,
    layout: Layout,
) -> Result<AppliedMigrations, refinery::Error> {
    let mut transaction = Open(transaction);
    let runner = runner(layout);
    let report = runner.run_async(&mut transaction).await?;
    let current = runner.get_last_applied_migration_async(&mut transaction).await?;
    Ok(AppliedMigrations {
        names: names(&report),
        current: current.map_or(0, |last| last.version()),
    })
}

/// Returns the statements that give the functions' role its rights.
pub(crate) fn grants(layout: Layout) -> String {
    match layout {
        Layout::Own => GRANTS.to_owned(),
        Layout::Platz => [GRANTS, GRANTS_PLATZ].concat(),
    }
}

fn runner(layout: Layout) -> Runner {
    let of_layout = match layout {
        Layout::Own => own::migrations::runner(),
        Layout::Platz => platz::migrations::runner(),
    };
    let both = both::migrations::runner();
    let mut migrations: Vec<Migration> =
        of_layout.get_migrations().iter().chain(both.get_migrations()).cloned().collect();
    migrations.sort_by_key(Migration::version);
    // An older version of this function may meet a database that a newer one has migrated.
    Runner::new(&migrations).set_abort_missing(false)
}

fn names(report: &Report) -> Vec<String> {
    let applied = report.applied_migrations().iter();
    applied.map(|migration| format!("V{:04}__{}", migration.version(), migration.name())).collect()
}

/// A transaction that is open already, so that all migrations are applied or none.
struct Open<'a>(&'a Transaction<'a>);

impl AsyncTransaction for Open<'_> {
    type Error = Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, Error> {
        let mut count = 0;
        for query in queries {
            self.0.batch_execute(query).await?;
            count += 1;
        }
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Open<'_> {
    async fn query(&mut self, query: &str) -> Result<Vec<Migration>, Error> {
        // Without a named prepare, so that it works behind a pooler in transaction mode.
        self.0.query_typed(query, &[]).await?.iter().map(read).collect()
    }
}

impl AsyncMigrate for Open<'_> {}

/// Reads a row of the history. A checksum that cannot be read is not ours. It becomes 0, so that
/// refinery refuses it as a different one.
fn read(row: &Row) -> Result<Migration, Error> {
    let (applied_on, checksum): (&str, &str) = (row.try_get(2)?, row.try_get(3)?);
    Ok(Migration::applied(
        row.try_get(0)?,
        row.try_get(1)?,
        OffsetDateTime::parse(applied_on, &Rfc3339).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        checksum.parse().unwrap_or_default(),
    ))
}
