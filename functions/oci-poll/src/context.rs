//! The settings and the clients that every invocation shares.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::config::OciPoll;
use shared::db::Database;
use shared::reconcile::KnownFormats;
use tokio::sync::OnceCell;

use crate::clients::Clients;
use crate::cursor::{Table, WarmCursor};

/// The settings and clients, and what the process keeps between invocations.
#[derive(Debug)]
pub(crate) struct PollContext {
    pub(crate) settings: OciPoll,
    pub(crate) database: Database,
    pub(crate) clients: Clients,
    pub(crate) table: OnceCell<Table>,
    /// The tag formats, if `ENABLE_TAG_PARSER` is set.
    pub(crate) formats: Option<KnownFormats>,
    /// The name of this process in a lease.
    pub(crate) owner: String,
    /// The cursors that this process has in memory, by the name of the instance.
    warm: Mutex<HashMap<String, WarmCursor>>,
}

impl PollContext {
    /// Builds the clients. Opens no connection.
    ///
    /// # Errors
    /// Fails if the database settings cannot be used.
    pub(crate) fn new(settings: OciPoll) -> anyhow::Result<Self> {
        let database = Database::new(settings.database.clone())?;
        // The random part distinguishes processes that have the same name. That happens locally,
        // and when Lambda opens a log stream again.
        let owner = format!("{} {:08x}", settings.process_name, fastrand::u32(..));
        let (clients, table, warm) = (Clients::default(), OnceCell::new(), Mutex::default());
        let formats = settings.parse_tags.then(KnownFormats::default);
        Ok(Self { settings, database, clients, table, formats, owner, warm })
    }

    /// Locks the cursors in memory.
    pub(crate) fn warm(&self) -> MutexGuard<'_, HashMap<String, WarmCursor>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
