//! `{"adopt":…}` and `{"unadopt":true}`: takes over a database of the Platz backend, and gives it
//! back.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use shared::db::{Check, Database, Finding, FoundDatabase, Layout, Level, become_owner};
use tracing::info;

use crate::migrations::{self, AppliedMigrations};

/// `{"adopt":"check"}`: returns `{"findings":[{"level","what","count"}],"adoptable":bool}`. Writes
/// nothing.
pub(crate) async fn check(database: &Database) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(database.check_adoption().await?)?)
}

/// `{"adopt":true}`: returns
/// `{"adopted":{"kinds","registries","charts","tags"},"applied":[…],"current":N}`. Resumes an
/// adoption that was interrupted. For a finished one it returns the same counts, and only applies
/// new migrations.
pub(crate) async fn adopt(database: &Database) -> anyhow::Result<Value> {
    let outcome = database
        .migrate(async |transaction, found| {
            refuse(&Check::read(transaction).await?)?;
            become_owner(transaction).await?;
            let is_finished = found == FoundDatabase::Adopted { is_finished: true };
            let applied = migrations::apply(transaction, Layout::Platz).await;
            Ok::<_, anyhow::Error>((applied.context("cannot apply the migrations")?, is_finished))
        })
        .await?;
    let (AppliedMigrations { names, current }, is_finished) = outcome?;
    let adopted = if is_finished {
        database.adopted().await?
    } else {
        info!(applied = names.len(), "migrations applied, adding to Platz's tables");
        database.adopt(migrations::ATTACH, migrations::SEED).await?
    };
    info!(charts = adopted.charts, tags = adopted.tags, current, "database adopted");
    Ok(json!({ "adopted": adopted, "applied": names, "current": current }))
}

/// `{"unadopt":true}`: returns `{"unadopted":bool}`, false when there was nothing to give back.
pub(crate) async fn unadopt(database: &Database) -> anyhow::Result<Value> {
    match database.found().await? {
        FoundDatabase::Adopted { .. } => {
            let is_done = database.unadopt(migrations::UNADOPT).await?;
            let outcome = if is_done { "given back" } else { "given back by another run" };
            info!("database {outcome} to Platz");
            Ok(json!({ "unadopted": is_done }))
        }
        FoundDatabase::Platz => Ok(json!({ "unadopted": false })),
        _ => bail!(
            "the database was not adopted from Platz: there is nothing to give back, and nothing \
             was changed"
        ),
    }
}

/// Fails with what stands in the way, if there is something.
fn refuse(check: &Check) -> anyhow::Result<()> {
    if !check.adoptable {
        let stops = check.findings.iter().filter(|finding| finding.level == Level::Stop);
        bail!(
            "the database cannot be adopted, and nothing was changed: {}",
            stops.map(in_words).collect::<Vec<_>>().join("; ")
        );
    }
    Ok(())
}

fn in_words(finding: &Finding) -> String {
    format!("{} ({})", finding.what, finding.count)
}
