//! Dispatches a payload.

use serde_json::Value;
use shared::db::Database;

use crate::payload::MigrateRequest;
use crate::{adopt, migrate};

/// Does what the payload asks for, and returns its answer.
pub(crate) async fn handle(database: &Database, payload: &Value) -> anyhow::Result<Value> {
    match MigrateRequest::read(payload)? {
        MigrateRequest::Migrate => migrate::migrate(database, None).await,
        MigrateRequest::Grant { role } => migrate::migrate(database, Some(&role)).await,
        MigrateRequest::CheckAdoption => adopt::check(database).await,
        MigrateRequest::Adopt => adopt::adopt(database).await,
        MigrateRequest::Unadopt => adopt::unadopt(database).await,
    }
}
