//! The media types that mark a Helm chart.

/// The media type of a chart's config blob. Every client that pushes charts sets it.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";

/// The media type of a chart's layer.
pub const CHART_MEDIA_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// The media type of the layer with a chart's provenance, which is its signature by Helm.
pub const PROVENANCE_MEDIA_TYPE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/// The media type of a chart's layer in the first Helm versions that pushed charts.
pub(super) const OLD_CHART_MEDIA_TYPE: &str = "application/tar+gzip";

/// The media type of an empty config blob (image specification, "Guidance for an Empty
/// Descriptor"). The artifact type describes such an artifact.
pub(super) const EMPTY_MEDIA_TYPE: &str = "application/vnd.oci.empty.v1+json";
