//! Applies the migrations that the database does not have yet. Safe to repeat, even while another
//! run is under way.

use anyhow::{Context as _, bail};
use refinery::Report;
use serde_json::{Value, json};
use shared::db::{self, Database};
use tracing::info;

mod embedded {
    refinery::embed_migrations!("../../migrations");
}

/// Takes `{}` and returns `{"applied":["V0001__create_…",…],"current":N}`. `applied` lists the
/// migrations of this run, and `current` is the newest migration that the database has now.
pub(crate) async fn handle(database: &Database, payload: Value) -> anyhow::Result<Value> {
    if payload.as_object().is_none_or(|fields| !fields.is_empty()) {
        bail!("migrate takes the payload {{}} and nothing else");
    }
    let runner = embedded::migrations::runner();
    // A newer version of this function may have migrated the database already.
    let runner = runner.set_abort_missing(false);
    let migrated = database
        .migrate(async |client| {
            let report = runner.run_async(client).await?;
            let current = runner.get_last_applied_migration_async(client).await?;
            Ok::<_, refinery::Error>((report, current))
        })
        .await?;
    let (report, current) = match migrated {
        db::Migration::Done(result) => result.context("cannot apply the migrations")?,
        db::Migration::Refused { tables } => bail!(
            "the database already has {} but no migration history of ours: it belongs to another \
             program. Point DATABASE_URL at an empty database",
            tables.join(", ")
        ),
    };
    let applied = names(&report);
    let current = current.map_or(0, |migration| migration.version());
    info!(applied = applied.len(), current, "database migrated");
    Ok(json!({ "applied": applied, "current": current }))
}

/// Returns the file names of the applied migrations, without their extension.
fn names(report: &Report) -> Vec<String> {
    let applied = report.applied_migrations().iter();
    applied.map(|migration| format!("V{:04}__{}", migration.version(), migration.name())).collect()
}
