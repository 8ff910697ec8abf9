//! The database of a run.

use serde_json::{Value, json};
use shared::config::Environment;
use tests::function::Function;
use tests::postgres::Server;

use super::output::progress;

/// The database of the run: the user's own, or one that is removed at the end.
pub(super) struct Database {
    pub(super) url: String,
    _server: Option<Server>,
}

impl Database {
    /// Starts a server unless `DATABASE_URL` names one, and migrates the database.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let (url, server) = if let Some(url) = Environment::of_process().get("DATABASE_URL") {
            progress("using the database of DATABASE_URL");
            (url.to_owned(), None)
        } else {
            progress("starting Postgres");
            let server = Server::start().await?;
            (server.create_database("charts").await?, Some(server))
        };
        let migrate = Function::start("migrate", &[("DATABASE_URL", &url)]).await?;
        let migrated = migrate.invoke(&json!({})).await?;
        let current = migrated.get("current").and_then(Value::as_i64).unwrap_or_default();
        // The user's own address is not printed, because it may hold a password.
        let shown = if server.is_some() { &url } else { "DATABASE_URL" };
        progress(&format!("database {shown} ready, schema version {current}"));
        Ok(Self { url, _server: server })
    }
}
