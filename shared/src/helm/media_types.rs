//! The media types that mark a Helm chart.

/// The media type of a chart's config blob: the one mark every client that pushes charts agrees on.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";

/// The media type of a chart's layer.
pub const CHART_MEDIA_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// What the first Helm versions that pushed charts called it.
pub(super) const OLD_CHART_MEDIA_TYPE: &str = "application/tar+gzip";

/// The media type of a config blob that holds nothing: image specification, "Guidance for an Empty
/// Descriptor". What the artifact is then says its artifact type.
pub(super) const EMPTY_MEDIA_TYPE: &str = "application/vnd.oci.empty.v1+json";
