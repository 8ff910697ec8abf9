//! The options of `reconcile`.

use std::time::Duration;

use tokio::time::Instant;

use super::{KnownFormats, KnownPopulation};
use crate::db::Writer;
use crate::domain::{Registry, Selection};
use crate::oci;

/// Returns the client for a registry.
pub trait ClientFor: Fn(&Registry) -> Result<oci::Client, oci::Error> {}

impl<F: Fn(&Registry) -> Result<oci::Client, oci::Error>> ClientFor for F {}

/// The options that a caller of `reconcile` chooses.
#[derive(Debug, Clone, Copy)]
pub struct ReconcileOptions<'a> {
    /// The writer on whose behalf rows are written.
    pub writer: Writer<'a>,
    /// How many looks run at the same time.
    pub concurrency: usize,
    /// When the work must be over.
    pub deadline: Instant,
    /// The meaning of an absent tag.
    pub deletions: Deletions,
    /// The repositories of the instance. Their charts are those that a mass disappearance is
    /// compared with; all charts of the registry without it.
    pub selection: Option<&'a Selection>,
    /// The number of those charts, as far as it is known.
    pub population: &'a KnownPopulation,
    /// The tag formats for new charts. Without them a chart's own fields fill its row.
    pub formats: Option<&'a KnownFormats>,
}

impl ReconcileOptions<'_> {
    /// Returns whether a missing chart may be held back.
    pub(super) fn may_hold_back(&self) -> bool {
        matches!(self.deletions, Deletions::HeldBack { .. })
    }
}

/// The meaning of an absent tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletions {
    /// It is deleted: an event says so, and the registry confirms it.
    Believed {
        /// How long an absence is held back that the registry does not confirm.
        hold: Duration,
    },
    /// It was only missing from a listing. Charts that disappear in a mass, or with their
    /// repository, are held back. A tag that another artifact overwrites counts too. They become
    /// unavailable if they are still missing after `hold`.
    HeldBack {
        /// How long they are held back, and an absence that the registry does not confirm.
        hold: Duration,
    },
}

impl Deletions {
    /// Returns how long an absence is held back.
    pub(super) fn hold(self) -> Duration {
        match self {
            Self::Believed { hold } | Self::HeldBack { hold } => hold,
        }
    }
}
