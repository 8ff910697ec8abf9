//! What a pass works with, and why it may end early.

use std::sync::Arc;

use shared::db::Database;
use shared::domain::{Reference, Repository, Subject, Tag};
use shared::oci::Client;
use shared::reconcile::{self, KnownFormats};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::instance::Instance;

/// Repositories that are listed, compared and looked at together.
pub(super) const REPOSITORIES: usize = 100;

/// What a pass works with.
#[derive(Debug)]
pub(crate) struct Poll<'a> {
    pub(crate) database: &'a Database,
    pub(crate) client: Client,
    pub(crate) instance: &'a Instance,
    /// What takes tags apart, if anything does.
    pub(crate) formats: Option<&'a KnownFormats>,
    /// When the work must be over.
    pub(crate) deadline: Instant,
    /// The database's clock when the pass began.
    pub(crate) now: OffsetDateTime,
}

impl Poll<'_> {
    /// A tag as the rest of the program names it.
    pub(crate) fn subject(&self, repository: &Repository, tag: &Tag) -> Subject {
        let registry = Arc::clone(&self.instance.registry);
        Subject { registry, repository: repository.clone(), reference: Reference::Tag(tag.clone()) }
    }

    /// When to stop asking the registry: what was seen then has to be written.
    pub(crate) fn look_until(&self) -> Instant {
        self.deadline.checked_sub(reconcile::WRITE_TIME).unwrap_or(self.deadline)
    }
}

/// Why a pass ended before it came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The deadline came. What was seen is written, and the position is kept.
    OutOfTime,
    /// The registry is to be left alone for the rest of the invocation. The position is kept.
    AskedToWait,
    /// The catalog cannot be read. The next pass begins anew.
    Unreadable,
}

/// How we came to some repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The instance names them.
    Named,
    /// The catalog lists them.
    Listed,
    /// They are known, and the catalog does not list them.
    Vanished,
    /// They are known, and the catalog lists nothing at all.
    WithoutCatalog,
}
