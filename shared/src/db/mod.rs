//! All SQL, and the connection it goes through. One file per thing that is asked of the database.

mod apply;
mod batch;
mod change;
mod chart_list;
mod charts;
mod connection;
mod error;
mod instance_list;
mod instances;
mod kinds;
mod list;
mod load;
mod migration;
mod missing;
mod registries;
mod secret;
mod tag_format_list;
mod tag_formats;
mod url;

pub use apply::{Applied, Writer};
pub use change::{AdminChange, Change, Changeable};
pub use chart_list::{ChartFilter, HelmChart, HelmChartDocuments, PickerChart};
pub use charts::{KnownContents, KnownDigest};
pub use connection::Database;
pub use error::Error;
pub use instance_list::DiscoveryInstance;
pub use instances::{Health, InstanceState};
pub use kinds::{DeploymentKind, KIND_NAME_MAX, KindFilter};
pub use list::{Listed, Page};
pub use load::{KnownTag, KnownTags, Stored, StoredObservation};
pub use migration::Migration;
pub use missing::Population;
pub use registries::{HelmRegistry, RegistryChange, RegistryFilter};
pub use tag_format_list::{HelmTagFormat, ReparseProgress};
pub use tag_formats::{Behind, Reparsed, TagFormatsState};
pub use url::DatabaseUrl;
