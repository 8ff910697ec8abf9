//! On what terms a batch of hints is followed.

use std::time::Duration;

use tokio::time::Instant;

use super::KnownFormats;
use crate::db::Writer;
use crate::domain::Registry;
use crate::oci;

/// Gives the client for a registry.
pub trait ClientFor: Fn(&Registry) -> Result<oci::Client, oci::Error> {}

impl<F: Fn(&Registry) -> Result<oci::Client, oci::Error>> ClientFor for F {}

/// What a caller of `reconcile` decides.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// On whose behalf rows are written.
    pub writer: Writer<'a>,
    /// Requests to registries at the same time.
    pub concurrency: usize,
    /// When the work must be over.
    pub deadline: Instant,
    /// How an absent tag is taken.
    pub deletions: Deletions,
    /// What takes the tags of new charts apart; without it the charts themselves tell.
    pub formats: Option<&'a KnownFormats>,
}

/// How an absent tag is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletions {
    /// At its word: somebody said that it was deleted, and the registry confirms it.
    Believed,
    /// With care: it was only missing from a listing. Charts that disappear in a mass, or with
    /// their repository, are held back, and are gone when they are still missing after `hold`.
    HeldBack {
        /// How long they are waited for.
        hold: Duration,
    },
}
