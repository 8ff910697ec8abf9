//! The settings and the clients that every invocation shares.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::config::OciPoll;
use shared::db::Database;
use shared::reconcile::KnownFormats;
use tokio::sync::OnceCell;

use crate::clients::Clients;
use crate::cursor::{Table, Warm};

/// What every invocation shares.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: OciPoll,
    pub(crate) database: Database,
    pub(crate) clients: Clients,
    pub(crate) table: OnceCell<Table>,
    /// What takes tags apart, if `ENABLE_TAG_PARSER` says so.
    pub(crate) formats: Option<KnownFormats>,
    /// What this process is called in a lease.
    pub(crate) owner: String,
    /// The cursors that this process has in memory, by the name of the instance.
    warm: Mutex<HashMap<String, Warm>>,
}

impl Context {
    pub(crate) fn new(settings: OciPoll) -> anyhow::Result<Self> {
        let database = Database::new(settings.database.clone())?;
        // Two processes may have one name: locally, or after a log stream was opened anew.
        let owner = format!("{} {:08x}", settings.process_name, fastrand::u32(..));
        let (clients, table, warm) = (Clients::default(), OnceCell::new(), Mutex::default());
        let formats = settings.parse_tags.then(KnownFormats::default);
        Ok(Self { settings, database, clients, table, formats, owner, warm })
    }

    /// Locks the cursors in memory.
    pub(crate) fn warm(&self) -> MutexGuard<'_, HashMap<String, Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
