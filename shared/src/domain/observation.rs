//! Subjects and observations: a subject is looked up in a registry, and an observation is the
//! result.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{ChartContents, Digest, PastTime, Reference, Registry, Repository};

/// One reference in one repository of one registry. A hint and an observation each have a subject.
/// A row's key contains one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The registry.
    pub registry: Arc<Registry>,
    /// The repository in the registry.
    pub repository: Repository,
    /// The tag or digest in the repository.
    pub reference: Reference,
}

/// The registry's answer about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// A Helm chart.
    Chart {
        /// The manifest's digest.
        digest: Digest,
        /// The time at which the chart was pushed or made. `None` stands for the time of the first
        /// look.
        created_at: Option<PastTime>,
        /// The contents of the chart.
        contents: ChartContents,
    },
    /// A manifest that is no Helm chart.
    NotAChart {
        /// The manifest's digest.
        digest: Digest,
    },
    /// A Helm chart whose contents the registry does not serve. No client can use it, and an
    /// earlier chart of the tag becomes unavailable.
    Unopened {
        /// The manifest's digest.
        digest: Digest,
    },
    /// A manifest past a limit, so that its digest is unknown. It is not the manifest of a chart
    /// that was read before, because that one is within the limits.
    BeyondLimits,
    /// An image index without a chart, of which the registry lacks a manifest that may be a chart.
    /// The same index may list a chart later, so its digest says nothing.
    IncompleteIndex,
    /// Nothing, because the registry has no such manifest.
    Absent,
    /// Nothing, because the registry answered 404. It did not say that the manifest is unknown, so
    /// that a proxy may have answered. Discovery does not believe this immediately.
    UnconfirmedAbsence {
        /// Whether it may be believed if it lasts, because no list has what is missing.
        is_believable: bool,
    },
    /// Nothing, because the registry denies the whole repository. Discovery does not believe this
    /// immediately, because a proxy or a missing permission gives the same answer.
    NoRepository,
}

/// A resolution with its time. If a subject has two observations, the later one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The subject of the look.
    pub subject: Subject,
    /// The time by the database's clock, read before the registry was asked.
    pub observed_at: OffsetDateTime,
    /// The registry's answer.
    pub resolution: Resolution,
    /// Whether a rescan asks for it. If another look is later, the subject is looked at again,
    /// because that look may not have read the contents.
    pub is_requested: bool,
}

impl Resolution {
    /// Returns whether the subject is a chart that clients can use.
    #[must_use]
    pub fn is_chart(&self) -> bool {
        matches!(self, Self::Chart { .. })
    }

    /// Returns the digest of the manifest, if there is one that clients can use.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Chart { digest, .. } | Self::NotAChart { digest } => Some(digest),
            Self::Unopened { .. }
            | Self::BeyondLimits
            | Self::IncompleteIndex
            | Self::Absent
            | Self::UnconfirmedAbsence { .. }
            | Self::NoRepository => None,
        }
    }
}

/// Writes a subject as clients do: `registry/repository:tag` or `registry/repository@digest`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.reference {
            Reference::Tag(_) => ':',
            Reference::Digest(_) => '@',
        };
        write!(f, "{}/{}{separator}{}", self.registry.host(), self.repository, self.reference)
    }
}
