//! One step of a diagnosis, as the functions exchange it and as the API returns it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The subject of a step, in the order in which the steps are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepId {
    /// Whether an instance watches the registry.
    Instance,
    /// Whether the registry answers.
    Reachable,
    /// Whether the registry lets the instance read.
    Authorized,
    /// Whether the instance follows the repository, and the registry has it.
    Listed,
    /// Whether the tag resolves to something.
    Tag,
    /// Whether the manifest is a Helm chart's.
    Manifest,
    /// Whether the chart's contents can be read.
    Contents,
    /// Whether the chart has a row, and in which state.
    Row,
    /// The kind that shows the chart.
    Kind,
    /// Whether discovery runs.
    Freshness,
}

/// One step and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The subject of the step.
    pub id: StepId,
    /// Whether the step passed; null if an earlier step failed or there was nothing to check.
    #[schema(required)]
    pub ok: Option<bool>,
    /// The finding, as a sentence.
    pub detail: String,
    /// The remedy, if the step failed.
    #[schema(required)]
    pub remedy: Option<String>,
}

impl StepId {
    /// All subjects, in order.
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

    /// The subjects of the steps that ask the registry.
    pub const LIVE: [Self; 6] = [
        Self::Reachable,
        Self::Authorized,
        Self::Listed,
        Self::Tag,
        Self::Manifest,
        Self::Contents,
    ];

    /// Returns the name of the subject.
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
    /// Makes a step that passed.
    #[must_use]
    pub fn passed(id: StepId, detail: impl Into<String>) -> Self {
        Self { id, ok: Some(true), detail: detail.into(), remedy: None }
    }

    /// Makes a step that failed, with its remedy.
    #[must_use]
    pub fn failed(id: StepId, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, ok: Some(false), detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// Makes a step that was not checked.
    #[must_use]
    pub fn skipped(id: StepId, detail: impl Into<String>) -> Self {
        Self { id, ok: None, detail: detail.into(), remedy: None }
    }

    /// Tells whether the step failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.ok == Some(false)
    }
}
