//! Chart rows for the admin pages and the API.

mod documents;
mod list;
mod metadata;
mod picker;
mod places;
mod row;

pub use documents::HelmChartDocuments;
pub use list::ChartFilter;
pub use metadata::{ChartDependency, ChartMaintainer, ChartMetadata};
pub use picker::PickerChart;
pub use places::{ChartPlace, ChartPlaces, PLACES_MAX};
pub use row::HelmChart;
