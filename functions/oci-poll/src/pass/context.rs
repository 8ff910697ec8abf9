//! The state of a pass, and the reasons to end it early.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use shared::db::{self, Database, FailedVisit, VisitFault, Writer};
use shared::domain::{Reference, Repository, Selection, Subject, Tag};
use shared::oci::{Client, RepositoryCatalog};
use shared::reconcile::{self, KnownFormats, KnownPopulation};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::verify_share::{self, VerifyShare};
use crate::cursor::{Cursor, Scan};
use crate::instance::Instance;
use crate::summary::PollSummary;
use crate::viewers::Viewers;

/// The clients and settings of a pass.
#[derive(Debug)]
pub(crate) struct Poll<'a> {
    pub(crate) database: &'a Database,
    pub(crate) client: Client,
    pub(crate) catalog: RepositoryCatalog,
    pub(crate) instance: &'a Instance,
    /// The tag formats, if `ENABLE_TAG_PARSER` is set.
    pub(crate) formats: Option<&'a KnownFormats>,
    /// The number of the instance's charts, as far as the pass knows it.
    pub(crate) population: KnownPopulation,
    /// The moment at which the work must be over.
    pub(crate) deadline: Instant,
    /// The time of the database's clock before the pass began.
    pub(crate) now: OffsetDateTime,
    pub(crate) trigger: Trigger,
}

/// The reason to visit repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A pass is due. The cursor follows its transactions.
    Schedule,
    /// A person or a webhook asks for a pass.
    Request,
    /// A webhook named a repository. The visit runs beside the passes.
    Webhook,
}

/// A pass under way: what it works with, and what it changes.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) poll: &'a Poll<'a>,
    pub(super) cursor: &'a mut Cursor,
    /// The position. `run` saves it in the cursor if the pass is interrupted.
    pub(super) scan: Scan,
    pub(super) summary: &'a mut PollSummary,
    /// When the looks and the verification of the current batch must end.
    pub(super) work_until: Instant,
    /// How many outdated contents this invocation may still read again.
    pub(super) renewals_left: usize,
    /// The repositories that failed before.
    pub(super) faults: HashMap<Repository, VisitFault>,
    /// The change marks that the current page of the vendor's list has.
    pub(super) marks: HashMap<Repository, u32>,
    /// The repositories of the current batch that are visited although their mark is the same.
    pub(super) unchanged: HashSet<Repository>,
    /// The repositories that failed in the current batch.
    pub(super) failed: Vec<FailedVisit>,
    /// The first hidden repository that this pass asked for, with its error.
    pub(super) first_hidden: Option<String>,
    /// The repositories that failed before, and that were now visited.
    pub(super) recovered: Vec<Repository>,
    /// The other live instances that watch the registry.
    pub(super) viewers: Viewers,
    /// The selection without what only others see, once it is needed.
    pub(super) own_selection: Option<Selection>,
}

/// The reason why a pass ends early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The deadline is near. What was seen is written, and the cursor keeps the position.
    OutOfTime,
    /// The registry sent a `Retry-After`. What was seen is written, and the cursor keeps the
    /// position.
    AskedToWait,
    /// The catalog cannot be read, or the registry refuses the credentials. The next pass starts
    /// from the beginning.
    Unreadable,
    /// The database failed. The caller drops the cursor, because rows may have been written that
    /// it does not include.
    Failed(anyhow::Error),
}

/// How a pass found a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The instance names it.
    Named,
    /// The catalog lists it.
    Listed,
    /// The database knows it, and the catalog does not list it.
    Vanished,
    /// The database knows it, and the catalog lists nothing at all.
    WithoutCatalog,
    /// The database knows it, and this pass reads no list, or not all of it.
    Known,
}

impl Poll<'_> {
    /// Returns the subject of a tag.
    pub(super) fn subject(&self, repository: &Repository, tag: &Tag) -> Subject {
        let registry = Arc::clone(&self.instance.registry);
        Subject { registry, repository: repository.clone(), reference: Reference::Tag(tag.clone()) }
    }

    /// Returns the writer of the rows. The cursor follows the transactions of a pass, so that they
    /// need no notes.
    pub(super) fn writer(&self) -> Writer<'_> {
        let Instance { name, kind_naming, .. } = self.instance;
        let notes_changes = self.trigger == Trigger::Webhook;
        Writer { instance: Some(name), notes_changes, kind_naming: *kind_naming }
    }

    /// Returns the least time between two lists of the vendor's. A person who asks for a pass wants
    /// to see new repositories too.
    pub(super) fn list_interval(&self) -> Duration {
        match self.trigger {
            Trigger::Request => Duration::ZERO,
            Trigger::Schedule | Trigger::Webhook => self.instance.catalog_interval,
        }
    }

    /// Returns when to stop asking the registry, so that there is time to write what was seen.
    pub(super) fn look_until(&self) -> Instant {
        self.deadline.checked_sub(reconcile::WRITE_TIME).unwrap_or(self.deadline)
    }
}

impl Pass<'_> {
    /// Returns the share of the tags that this pass verifies.
    pub(super) fn share(&self) -> VerifyShare {
        let instance = self.poll.instance;
        VerifyShare::of(&self.scan, instance.poll_interval, instance.verify_interval)
    }

    /// Returns the moment since which an observation is recent enough to need no verification.
    pub(super) fn seen_since(&self) -> i64 {
        verify_share::seen_since(&self.scan, self.poll.instance.verify_interval)
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<db::Error> for Halt {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}
