//! The contents of a chart, as its row shows them.

use std::sync::Arc;

use super::left_out::LeftOut;

/// What the program reads of a chart, as a number that rises when it reads more. Contents with a
/// smaller number are read again, a few at a time.
pub const CONTENTS_VERSION: i16 = 2;

/// The columns of a chart row that are read from the chart itself. A chart without a defect has at
/// least a name. A chart with a defect has an error, and every field that could be read. Equal
/// digests have equal contents, unless they are incomplete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// `name` in Chart.yaml.
    pub chart_name: Option<String>,
    /// `version` in Chart.yaml, which may contain a `+`.
    pub chart_version: Option<String>,
    /// `appVersion` in Chart.yaml.
    pub app_version: Option<String>,
    /// `description` in Chart.yaml.
    pub description: Option<String>,
    /// The annotation `platz.io/git/commit`.
    pub git_commit: Option<String>,
    /// The annotation `platz.io/git/branch`.
    pub git_branch: Option<String>,
    /// The annotation `platz.io/git/repo`.
    pub git_repo: Option<String>,
    /// The inputs and outputs of the chart's values, as JSON text.
    pub values_ui: Option<String>,
    /// The chart's actions, as JSON text.
    pub actions_schema: Option<String>,
    /// The chart's features, as JSON text.
    pub features: Option<String>,
    /// The chart's resource types, as JSON text.
    pub resource_types: Option<String>,
    /// All of Chart.yaml, as JSON text.
    pub metadata: Option<String>,
    /// The README.
    pub readme: Option<String>,
    /// `values.yaml`, with its comments.
    pub values_yaml: Option<String>,
    /// `values.schema.json`.
    pub values_schema: Option<String>,
    /// The files that are not kept.
    pub left_out: Vec<LeftOut>,
    /// Whether the chart comes with its provenance, a signature by Helm. It is not verified.
    pub has_provenance: bool,
    /// The chart's defects. A chart that has one is BROKEN.
    pub error: Option<String>,
    /// Whether the registry lacked something that they depend on, so that another read may find
    /// more.
    pub is_incomplete: bool,
}

/// The source of an observed chart's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartContents {
    /// The chart was not read, because a row with its digest has the contents.
    Stored,
    /// The chart was read now, because no row has its digest.
    New(Arc<Contents>),
    /// The chart was read now, because a row with its digest had no contents, or incomplete ones.
    /// Every row with the digest gets them.
    Refreshed(Arc<Contents>),
    /// The chart was read now, because a rescan requested it. Every row with the digest gets the
    /// contents. The tag's own row comes back even if an admin deleted it.
    Requested(Arc<Contents>),
}

impl Contents {
    /// Returns whether `Chart.yaml` gave neither a name nor a version. The config blob may have
    /// them.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.chart_name.is_none() && self.chart_version.is_none()
    }

    /// Returns the size of all texts, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let Self {
            chart_name,
            chart_version,
            app_version,
            description,
            git_commit,
            git_branch,
            git_repo,
            ..
        } = self;
        let Self { values_ui, actions_schema, features, resource_types, error, .. } = self;
        let Self { metadata, readme, values_yaml, values_schema, left_out, .. } = self;
        let texts = [
            chart_name,
            chart_version,
            app_version,
            description,
            git_commit,
            git_branch,
            git_repo,
            values_ui,
            actions_schema,
            features,
            resource_types,
            error,
            metadata,
            readme,
            values_yaml,
            values_schema,
        ];
        let left_out: usize = left_out.iter().map(LeftOut::size).sum();
        texts.into_iter().flatten().map(String::len).sum::<usize>() + left_out
    }

    /// Returns the size of the README, the values and their schema, in bytes.
    #[must_use]
    pub fn documents_size(&self) -> usize {
        let Self { readme, values_yaml, values_schema, .. } = self;
        [readme, values_yaml, values_schema].into_iter().flatten().map(String::len).sum()
    }
}

impl ChartContents {
    /// Returns the contents that were read, if any were.
    #[must_use]
    pub fn contents(&self) -> Option<&Arc<Contents>> {
        match self {
            Self::Stored => None,
            Self::New(contents) | Self::Refreshed(contents) | Self::Requested(contents) => {
                Some(contents)
            }
        }
    }
}
