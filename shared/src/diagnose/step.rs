//! A step of a diagnosis, as the functions tell each other and as the API tells it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a step is about, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepId {
    /// Whether an instance watches the registry.
    Instance,
    /// Whether the registry answers.
    Reachable,
    /// Whether it lets the instance read.
    Authorized,
    /// Whether the instance follows the repository, and the registry has it.
    Listed,
    /// Whether the tag resolves to something.
    Tag,
    /// Whether that is a Helm chart.
    Manifest,
    /// Whether what is in the chart can be read.
    Contents,
    /// Whether there is a row, and which one.
    Row,
    /// The kind that shows it.
    Kind,
    /// Whether discovery runs.
    Freshness,
}

/// One step and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What it is about.
    pub id: StepId,
    /// Whether all is well; null where a step before it failed, or there is nothing to look at.
    #[schema(required)]
    pub ok: Option<bool>,
    /// What was found.
    pub detail: String,
    /// What to do about it, where something is to be done.
    #[schema(required)]
    pub remedy: Option<String>,
}

impl StepId {
    /// All steps, in order.
    pub const ALL: [Self; 10] = [
        Self::Instance,
        Self::Reachable,
        Self::Authorized,
        Self::Listed,
        Self::Tag,
        Self::Manifest,
        Self::Contents,
        Self::Row,
        Self::Kind,
        Self::Freshness,
    ];

    /// The steps that ask the registry.
    pub const LIVE: [Self; 6] = [
        Self::Reachable,
        Self::Authorized,
        Self::Listed,
        Self::Tag,
        Self::Manifest,
        Self::Contents,
    ];

    /// The id as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Reachable => "reachable",
            Self::Authorized => "authorized",
            Self::Listed => "listed",
            Self::Tag => "tag",
            Self::Manifest => "manifest",
            Self::Contents => "contents",
            Self::Row => "row",
            Self::Kind => "kind",
            Self::Freshness => "freshness",
        }
    }
}

impl Step {
    /// All is well.
    #[must_use]
    pub fn passed(id: StepId, detail: impl Into<String>) -> Self {
        Self { id, ok: Some(true), detail: detail.into(), remedy: None }
    }

    /// Something is to be done.
    #[must_use]
    pub fn failed(id: StepId, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, ok: Some(false), detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// Nothing was looked at.
    #[must_use]
    pub fn skipped(id: StepId, detail: impl Into<String>) -> Self {
        Self { id, ok: None, detail: detail.into(), remedy: None }
    }

    /// Whether this is where the cause lies.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.ok == Some(false)
    }
}
