//! Recognizes the manifests of Helm charts, and reads the contents of a chart.

mod archive;
mod artifact;
mod chart_version;
mod chart_yaml;
mod contents;
mod entry_header;
mod entry_path;
mod error;
mod extended;
mod extensions;
mod fields_in_any_case;
mod kept_file;
mod limits;
mod media_types;
mod metadata;
mod storable;
mod text;

pub use archive::{Fed, Layer};
pub use artifact::{Artifact, ChartManifest, charts_perhaps_in, is_helm_config};
pub use contents::{add_config, add_defect, contents_of_layer};
pub use error::Error;
pub use limits::{CONFIG_LIMIT, LAYER_LIMIT};
pub use media_types::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE, PROVENANCE_MEDIA_TYPE};
