//! What is looked at in a registry, and what was seen there.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{ChartContents, Digest, Reference, Registry, Repository};

/// One reference in one repository of one registry: what a hint names, an observation is of, and a
/// row is keyed by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The registry.
    pub registry: Arc<Registry>,
    /// The repository in it.
    pub repository: Repository,
    /// The tag or digest in that.
    pub reference: Reference,
}

/// What a subject resolved to when the registry was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// A Helm chart.
    Chart {
        /// The manifest's digest.
        digest: Digest,
        /// When it was pushed or made; `None`: the time it is first seen.
        created_at: Option<OffsetDateTime>,
        /// What is inside.
        contents: ChartContents,
    },
    /// A manifest that is no Helm chart.
    NotAChart {
        /// The manifest's digest.
        digest: Digest,
    },
    /// A Helm chart that cannot be opened, and so is not there for anybody. Another one that was
    /// there before is not either.
    Unopened {
        /// The manifest's digest.
        digest: Digest,
    },
    /// Nothing: the registry has no such manifest.
    Absent,
    /// Nothing, because the registry denies the whole repository. A proxy or a missing permission
    /// says the same, so that this is never believed at once.
    NoRepository,
}

/// A resolution with the time that decides between it and another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What was looked at.
    pub subject: Subject,
    /// The database's clock, read before the registry was asked.
    pub observed_at: OffsetDateTime,
    /// What it resolved to.
    pub resolution: Resolution,
}

impl Resolution {
    /// The digest of the manifest, if there is one that can be used.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Chart { digest, .. } | Self::NotAChart { digest } => Some(digest),
            Self::Unopened { .. } | Self::Absent | Self::NoRepository => None,
        }
    }
}

/// As a client would write it: `registry/repository:tag` or `registry/repository@digest`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.reference {
            Reference::Tag(_) => ':',
            Reference::Digest(_) => '@',
        };
        write!(f, "{}/{}{separator}{}", self.registry.host(), self.repository, self.reference)
    }
}
