//! The fields of Chart.yaml that people want to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fields of Chart.yaml that lists leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ChartMetadata {
    /// `home`: the address of the project.
    #[schema(required)]
    pub home: Option<String>,
    /// `icon`: the address of a picture. The pages do not load it.
    #[schema(required)]
    pub icon: Option<String>,
    /// `sources`: the addresses of its source code.
    pub sources: Vec<Option<String>>,
    /// `keywords`.
    pub keywords: Vec<Option<String>>,
    /// `maintainers`.
    pub maintainers: Vec<Option<ChartMaintainer>>,
    /// `dependencies`.
    pub dependencies: Vec<Option<ChartDependency>>,
    /// `annotations`.
    pub annotations: BTreeMap<String, Option<String>>,
}

/// A person who maintains a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ChartMaintainer {
    /// The name.
    #[schema(required)]
    pub name: Option<String>,
    /// The e-mail address.
    #[schema(required)]
    pub email: Option<String>,
    /// The address of a page.
    #[schema(required)]
    pub url: Option<String>,
}

/// A chart that another one needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ChartDependency {
    /// The name of the chart.
    #[schema(required)]
    pub name: Option<String>,
    /// A version, or a range of versions.
    #[schema(required)]
    pub version: Option<String>,
    /// The address of its repository.
    #[schema(required)]
    pub repository: Option<String>,
    /// The name under which the chart has it.
    #[schema(required)]
    pub alias: Option<String>,
    /// The path of the value that switches it on.
    #[schema(required)]
    pub condition: Option<String>,
}
