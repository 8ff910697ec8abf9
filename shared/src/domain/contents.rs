//! What is inside a chart, as its row shows it.

use std::sync::Arc;

/// The columns of a chart row that are read from the chart itself. A chart that could be read to
/// its end has at least a name; any other has an error, beside whatever could be read of it. They
/// follow from the chart's digest alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// `name` in Chart.yaml.
    pub chart_name: Option<String>,
    /// `version` in Chart.yaml, with its `+`.
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
    /// JSON text of the inputs and outputs of the chart's values.
    pub values_ui: Option<String>,
    /// JSON text of the chart's actions.
    pub actions_schema: Option<String>,
    /// JSON text of the chart's features.
    pub features: Option<String>,
    /// JSON text of the chart's resource types.
    pub resource_types: Option<String>,
    /// Why the chart itself is unusable: what makes it BROKEN.
    pub error: Option<String>,
}

/// Where the contents of an observed chart come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartContents {
    /// From a row that has the chart's digest: nothing was read.
    Stored,
    /// Just read, of a digest that no row had.
    New(Arc<Contents>),
    /// Just read. Every row of the digest gets them, because one has none.
    Refreshed(Arc<Contents>),
    /// Just read, because somebody asked for it: as [`ChartContents::Refreshed`], and the tag's own
    /// row is there even if it was deleted by hand.
    Requested(Arc<Contents>),
}

impl Contents {
    /// About how much memory they take, in bytes.
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
        ];
        texts.into_iter().flatten().map(String::len).sum()
    }
}

impl ChartContents {
    /// What was read.
    #[must_use]
    pub fn read(&self) -> Option<&Arc<Contents>> {
        match self {
            Self::Stored => None,
            Self::New(contents) | Self::Refreshed(contents) | Self::Requested(contents) => {
                Some(contents)
            }
        }
    }
}
