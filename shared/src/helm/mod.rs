//! What makes a manifest a Helm chart, and what the manifest alone says about it.

mod artifact;

pub use artifact::{Artifact, CONFIG_MEDIA_TYPE, charts_perhaps_in, is_helm_config};
