//! The clients and settings that every request uses.

use std::sync::Arc;

use shared::config::Admin;
use shared::db::Database;

use crate::access::AccessSettings;
use crate::invoke::Functions;
use crate::reparse::ReparseTrigger;

/// The clients and settings that every request uses.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) database: Arc<Database>,
    /// How users sign in.
    pub(crate) access: AccessSettings,
    /// The other functions.
    pub(crate) functions: Arc<Functions>,
    /// Starts parsing after the tag formats have changed.
    pub(crate) trigger: Arc<ReparseTrigger>,
    /// Whether tags are parsed at all.
    pub(crate) parse_tags: bool,
}

impl App {
    /// Makes the clients, which connect when they are first used.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub(crate) fn new(settings: Admin) -> anyhow::Result<Self> {
        let Admin { database, auth, address, parse_tags, tag_parser_function } = settings;
        let is_https = address.is_none();
        Ok(Self {
            database: Arc::new(Database::new(database)?),
            access: AccessSettings::new(auth, is_https)?,
            functions: Arc::default(),
            trigger: Arc::new(ReparseTrigger::new(tag_parser_function, parse_tags && !is_https)),
            parse_tags,
        })
    }
}
