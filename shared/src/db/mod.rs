//! All SQL of the program. `admin` has the statements of the admin pages, `discovery` those of the
//! functions that read registries. The files beside them serve both.

mod admin;
mod connection;
mod discovery;
mod error;
mod layout;
mod migration;
mod new_role;
mod secret;

pub use admin::{
    AdminChange, AffectedDeployments, Change, Changeable, ChartDependency, ChartFilter,
    ChartMaintainer, ChartMetadata, ChartPlace, ChartPlaces, DeploymentKind, DiscoveryInstance,
    Findings, FoundChart, FoundFault, FoundRegistry, HeldTags, HelmChart, HelmChartDocuments,
    HelmRegistry, HelmTagFormat, KIND_NAME_MAX, KindFilter, LastSeen, Listed, PLACES_MAX,
    PageRequest, PickerChart, RegistryChange, RegistryFilter, ReparseProgress, TagFormatDeletion,
};
pub use connection::Database;
pub use discovery::{
    Applied, Arrival, Behind, ChartTag, EndedOrphans, FailedVisit, FaultKind, FaultOverview,
    Health, HiddenOverview, InstanceState, Introduced, Introduction, KnownContents, KnownInstance,
    KnownInstances, KnownTag, Mark, NewFault, NotedChange, OrphanedRegistry, Population, Reparsed,
    RepositoryViewers, StoredContents, StoredFault, StoredObservation, StoredState, StoredTag,
    TagFormatsState, VisitFault, WalkOver, WalkPage, WalkPlace, Writer,
};
pub use error::Error;
pub use layout::Layout;
pub use migration::{
    Adopted, Check, Finding, FoundDatabase, Level, become_owner, create_iam_login, grant,
};
