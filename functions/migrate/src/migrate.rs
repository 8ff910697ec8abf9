//! `{}` and `{"grant":ROLE}`: applies the migrations that the database does not have yet, and gives
//! the functions' role its rights. Safe to run twice, and twice at the same time.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use shared::db::{self, Database, FoundDatabase, Layout};
use tokio_postgres::Transaction;
use tracing::info;

use crate::migrations::{self, AppliedMigrations};
use crate::payload::GrantRequest;

/// Returns `{"applied":["V0001__create_…",…],"current":N}`: what this run applied, and the newest
/// migration that the database now has. With a role, `"granted":ROLE` as well.
pub(crate) async fn migrate(
    database: &Database,
    grant: Option<&GrantRequest>,
) -> anyhow::Result<Value> {
    let outcome = database
        .migrate(async |transaction, found| {
            let layout = layout_of(found)?;
            let applied = migrations::apply(transaction, layout)
                .await
                .context("cannot apply the migrations")?;
            if let Some(request) = grant {
                grant_rights(transaction, request, layout).await?;
            }
            anyhow::Ok(applied)
        })
        .await?;
    let AppliedMigrations { names, current } = outcome?;
    let role = grant.map(|grant| grant.role.as_str());
    info!(applied = names.len(), current, role, "database migrated");
    Ok(match role {
        Some(role) => json!({ "applied": names, "current": current, "granted": role }),
        None => json!({ "applied": names, "current": current }),
    })
}

/// Gives a role the rights of the functions. Makes the role first, if that is asked for.
async fn grant_rights(
    transaction: &Transaction<'_>,
    GrantRequest { role, makes_iam_login }: &GrantRequest,
    layout: Layout,
) -> anyhow::Result<()> {
    if *makes_iam_login {
        let made = db::create_iam_login(transaction, role).await.with_context(|| {
            format!(
                "cannot make the role {role}, and nothing was changed: make it as an administrator \
                 of RDS, or leave out \"login\""
            )
        })?;
        info!(role, made, "role looked for");
    }
    let is_found = db::grant(transaction, role, &migrations::grants(layout))
        .await
        .with_context(|| format!("cannot give the role {role} its rights"))?;
    if !is_found {
        bail!("there is no role {role:?}, and nothing was changed: CREATE ROLE makes one");
    }
    Ok(())
}

/// Chooses the migrations for the payload `{}`, by what the database contains.
fn layout_of(found: FoundDatabase) -> anyhow::Result<Layout> {
    Ok(match found {
        FoundDatabase::Empty | FoundDatabase::Own => Layout::Own,
        FoundDatabase::Adopted { is_finished: true } => Layout::Platz,
        FoundDatabase::Adopted { is_finished: false } => bail!(
            "an adoption of this database was interrupted. Invoke migrate with {{\"adopt\":true}} \
             to finish it, or with {{\"unadopt\":true}} to give the database back"
        ),
        FoundDatabase::Platz => bail!(
            "the database belongs to the Platz backend (it has __diesel_schema_migrations), and \
             nothing was changed. Invoke migrate with {{\"adopt\":\"check\"}} to see whether it \
             can be adopted, or point DATABASE_URL at an empty database"
        ),
        FoundDatabase::Version1 => bail!(
            "the database was made by version 1, whose layout no later version reads, and nothing \
             was changed. Point DATABASE_URL at an empty database: a first pass and a backfill \
             fill it from the registries"
        ),
        FoundDatabase::Foreign { tables } => bail!(
            "the database already has {} but no migration history of ours: it belongs to another \
             program. Point DATABASE_URL at an empty database",
            tables.join(", ")
        ),
    })
}
