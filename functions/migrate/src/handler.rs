//! Dispatches a payload.

use std::time::Duration;

use serde_json::Value;
use shared::db::Database;
use tokio::time::Instant;

use crate::payload::MigrateRequest;
use crate::{adopt, migrate};

/// How long a new role may be refused. AWS gives no number; a minute was enough for others.
const NEW_ROLE_PATIENCE: Duration = Duration::from_mins(1);

/// The time that the wait for a new role leaves for the answer.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Does what the payload asks for, and returns its answer.
pub(crate) async fn handle(
    database: &Database,
    payload: &Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let request = MigrateRequest::read(payload)?;
    let now = Instant::now();
    let until = (now + NEW_ROLE_PATIENCE).min(deadline.checked_sub(ANSWER_TIME).unwrap_or(now));
    database.wait_for_new_role(until).await?;
    match request {
        MigrateRequest::Migrate => migrate::migrate(database, None).await,
        MigrateRequest::Grant(grant) => migrate::migrate(database, Some(&grant)).await,
        MigrateRequest::CheckAdoption => adopt::check(database).await,
        MigrateRequest::Adopt => adopt::adopt(database).await,
        MigrateRequest::Unadopt => adopt::unadopt(database).await,
    }
}
