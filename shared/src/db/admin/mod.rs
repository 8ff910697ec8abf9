//! Statements of the admin pages and their API.

mod audit;
mod charts;
mod deployments;
mod diagnosis;
mod instances;
mod kinds;
mod list;
mod logins;
mod registries;
mod tag_formats;

pub use audit::{AdminChange, Change, Changeable};
pub use charts::{
    ChartDependency, ChartFilter, ChartMaintainer, ChartMetadata, ChartPlace, ChartPlaces,
    HelmChart, HelmChartDocuments, PLACES_MAX, PickerChart,
};
pub use deployments::AffectedDeployments;
pub use diagnosis::{Findings, FoundChart, FoundFault, FoundRegistry, HeldTags, LastSeen};
pub use instances::DiscoveryInstance;
pub use kinds::{DeploymentKind, KIND_NAME_MAX, KindFilter};
pub use list::{Listed, PageRequest};
pub use registries::{HelmRegistry, RegistryChange, RegistryFilter};
pub use tag_formats::{HelmTagFormat, ReparseProgress, TagFormatDeletion};
