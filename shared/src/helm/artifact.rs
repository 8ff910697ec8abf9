//! Recognizes Helm charts by the media type of their config blob, or by their artifact type (since
//! OCI 1.1).

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Error;
use super::limits::{LAYER_LIMIT, TEXT_MAX};
use super::media_types::{
    CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE, EMPTY_MEDIA_TYPE, OLD_CHART_MEDIA_TYPE,
    PROVENANCE_MEDIA_TYPE,
};
use crate::domain::Digest;
use crate::oci::{Descriptor, Manifest};

/// Largest number of manifests of one image index that discovery looks at. An index with a chart
/// has one or two manifests without a platform.
const CHILDREN_MAX: usize = 16;

/// The annotation with the time at which an artifact was made (image specification, "Pre-Defined
/// Annotation Keys").
const CREATED_ANNOTATION: &str = "org.opencontainers.image.created";

/// The annotation with a chart's name (image specification, "Pre-Defined Annotation Keys"). Helm
/// writes it.
const TITLE_ANNOTATION: &str = "org.opencontainers.image.title";

/// The beginning of the media types of Docker's first schema, which has no media type for a chart.
const SCHEMA_1_MEDIA_TYPES: &str = "application/vnd.docker.distribution.manifest.v1+";

/// The kind of artifact that a manifest describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A Helm chart.
    Chart(ChartManifest),
    /// Anything else.
    Other {
        /// The media type of the config, or else the artifact type, or else the media type of the
        /// manifest.
        media_type: String,
    },
}

/// The parts of a chart's manifest that discovery needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartManifest {
    /// The time at which the chart was made. `None` if the manifest does not give it in RFC 3339.
    pub created_at: Option<OffsetDateTime>,
    /// The digest of the config blob, if it has a valid one.
    pub config: Option<Digest>,
    /// The chart's name, if the manifest gives it.
    pub title: Option<String>,
    /// Whether the manifest has a layer with the chart's provenance.
    pub has_provenance: bool,
    /// The first two chart layers. The second one only shows that there is more than one.
    layers: Vec<LayerDescriptor>,
}

/// The needed fields of a layer's descriptor. They are copied, because a manifest may have
/// megabytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LayerDescriptor {
    /// The digest that the descriptor claims. If it is no digest, its text, cut.
    digest: Result<Digest, String>,
    /// The size that the descriptor claims, in bytes.
    size: u64,
}

impl LayerDescriptor {
    fn of(descriptor: &Descriptor) -> Self {
        let digest =
            descriptor.digest.parse().map_err(|_| descriptor.digest.chars().take(100).collect());
        Self { digest, size: descriptor.size }
    }
}

impl ChartManifest {
    /// Returns the digest and the claimed size of the chart's layer.
    ///
    /// # Errors
    /// The chart's defect, if it does not have exactly one layer that can be read.
    pub fn layer(&self) -> Result<(Digest, u64), Error> {
        let [layer] = self.layers.as_slice() else {
            return Err(if self.layers.is_empty() { Error::NoLayer } else { Error::SeveralLayers });
        };
        if layer.size > LAYER_LIMIT as u64 {
            return Err(Error::LayerTooLarge);
        }
        match &layer.digest {
            Ok(digest) => Ok((digest.clone(), layer.size)),
            Err(text) => Err(Error::NoLayerDigest(text.clone())),
        }
    }
}

impl Artifact {
    /// Recognizes a manifest.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
        let by_artifact_type = config == Some(EMPTY_MEDIA_TYPE)
            && manifest.artifact_type.as_deref().is_some_and(is_helm_config);
        if by_artifact_type || config.is_some_and(is_helm_config) {
            let text = manifest.annotations.get(CREATED_ANNOTATION);
            let created_at = text.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
            let is_chart = |layer: &&Descriptor| {
                [CHART_MEDIA_TYPE, OLD_CHART_MEDIA_TYPE]
                    .iter()
                    .any(|chart| is_media_type(&layer.media_type, chart))
            };
            let layers =
                manifest.layers.iter().filter(is_chart).take(2).map(LayerDescriptor::of).collect();
            let config = manifest.config.as_ref().and_then(|config| config.digest.parse().ok());
            let title = manifest.annotations.get(TITLE_ANNOTATION);
            let title = title.filter(|title| title.len() <= TEXT_MAX).cloned();
            let has_provenance = manifest
                .layers
                .iter()
                .any(|layer| is_media_type(&layer.media_type, PROVENANCE_MEDIA_TYPE));
            let chart = ChartManifest { created_at, config, title, has_provenance, layers };
            return Self::Chart(chart);
        }
        let shown = config.filter(|media_type| !media_type.is_empty());
        let shown = shown.or(manifest.artifact_type.as_deref()).or(manifest.media_type.as_deref());
        Self::Other { media_type: shown.unwrap_or("unknown").to_owned() }
    }

    /// Recognizes a manifest whose digest is wrong, if its types leave no doubt that it is no
    /// chart. JSON that says nothing about itself may be a chart that was damaged on its way.
    #[must_use]
    pub fn of_untrusted(manifest: &Manifest) -> Option<Self> {
        let media_type = manifest.media_type.as_deref().unwrap_or_default();
        if media_type.starts_with(SCHEMA_1_MEDIA_TYPES) {
            return Some(Self::Other { media_type: media_type.to_owned() });
        }
        let config = manifest.config.as_ref().map_or("", |config| config.media_type.as_str());
        let says_what_it_is = match config {
            "" => false,
            EMPTY_MEDIA_TYPE => manifest.artifact_type.is_some(),
            _ => true,
        };
        let artifact = Self::of(manifest);
        Some(artifact).filter(|artifact| says_what_it_is && matches!(artifact, Self::Other { .. }))
    }
}

/// Lists the manifests of an image index that may be charts. Leaves out a manifest if its artifact
/// type shows something else, or its platform if it has no artifact type.
pub fn charts_perhaps_in(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let children = manifest.manifests.iter().flatten();
    let perhaps = |child: &&Descriptor| {
        match child.artifact_type.as_deref().filter(|artifact_type| !artifact_type.is_empty()) {
            Some(artifact_type) => is_helm_config(artifact_type),
            // A platform without an architecture is none: some tools fill it in half.
            None => child.platform.as_ref().is_none_or(|platform| {
                matches!(platform.os.as_str(), "" | "unknown") || platform.architecture.is_empty()
            }),
        }
    };
    children.filter(perhaps).take(CHILDREN_MAX)
}

/// Returns whether this is the media type of a chart's config blob. Ignores case (RFC 6838, 4.2),
/// and parameters such as `;charset=utf-8`.
#[must_use]
pub fn is_helm_config(media_type: &str) -> bool {
    is_media_type(media_type, CONFIG_MEDIA_TYPE)
}

fn is_media_type(media_type: &str, expected: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(expected)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use time::macros::datetime;

    use super::*;

    fn manifest(config: Option<&str>, created: Option<&str>) -> Manifest {
        let created = created.map(|text| (CREATED_ANNOTATION.to_owned(), text.to_owned()));
        let config = config.map(|media_type| {
            serde_json::from_value(serde_json::json!({"mediaType": media_type})).unwrap()
        });
        Manifest {
            digest: Digest::sha256(b""),
            media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            artifact_type: None,
            config,
            layers: Vec::new(),
            annotations: created.into_iter().collect::<BTreeMap<_, _>>(),
            manifests: None,
        }
    }

    #[test]
    fn config_media_type_marks_a_chart() {
        for (config, is_chart) in [
            (Some(CONFIG_MEDIA_TYPE), true),
            (Some("application/vnd.CNCF.helm.config.v1+json; charset=utf-8"), true),
            (Some("application/vnd.oci.image.config.v1+json"), false),
            (Some("application/vnd.docker.container.image.v1+json"), false),
            (Some("application/vnd.cncf.helm.config.v2+json"), false),
            (Some(""), false),
            (None, false),
        ] {
            let artifact = Artifact::of(&manifest(config, None));
            assert_eq!(matches!(artifact, Artifact::Chart(_)), is_chart, "{config:?}");
        }
    }

    #[test]
    fn artifact_type_marks_a_chart_with_an_empty_config() {
        for (config, artifact_type, is_chart) in [
            (Some(EMPTY_MEDIA_TYPE), Some(CONFIG_MEDIA_TYPE), true),
            (Some(EMPTY_MEDIA_TYPE), Some("application/spdx+json"), false),
            (Some("application/vnd.oci.image.config.v1+json"), Some(CONFIG_MEDIA_TYPE), false),
            (None, Some(CONFIG_MEDIA_TYPE), false),
        ] {
            let artifact_type = artifact_type.map(str::to_owned);
            let artifact = Artifact::of(&Manifest { artifact_type, ..manifest(config, None) });
            assert_eq!(matches!(artifact, Artifact::Chart(_)), is_chart, "{artifact:?}");
        }
    }

    #[test]
    fn only_possible_charts_of_an_index_are_looked_at() {
        let children = serde_json::json!([
            {"digest": "image", "platform": {"architecture": "amd64", "os": "linux"}},
            {"digest": "attestation", "platform": {"architecture": "unknown", "os": "unknown"}},
            {"digest": "sbom", "artifactType": "application/spdx+json"},
            {"digest": "chart", "artifactType": CONFIG_MEDIA_TYPE},
            {"digest": "unknown"},
            // Case from the field 9.
            {"digest": "oras", "artifactType": CONFIG_MEDIA_TYPE,
             "platform": {"architecture": "", "os": "linux"}},
            {"digest": "half", "platform": {"architecture": "", "os": "linux"}},
            {"digest": "typed", "artifactType": CONFIG_MEDIA_TYPE,
             "platform": {"architecture": "amd64", "os": "linux"}},
            {"digest": "empty type", "artifactType": "",
             "platform": {"architecture": "amd64", "os": "linux"}},
        ]);
        let index = Manifest {
            manifests: serde_json::from_value(children).unwrap(),
            ..manifest(None, None)
        };
        let digests: Vec<&str> =
            charts_perhaps_in(&index).map(|child| child.digest.as_str()).collect();
        assert_eq!(digests, ["attestation", "chart", "unknown", "oras", "half", "typed"]);
    }

    /// Case from the field 12.
    #[test]
    fn only_a_type_that_is_no_chart_settles_an_artifact_without_its_digest() {
        let of = |config, artifact_type: Option<&str>, media_type: &str| Manifest {
            media_type: Some(media_type.to_owned()),
            artifact_type: artifact_type.map(str::to_owned),
            ..manifest(config, None)
        };
        let image = Some("application/vnd.docker.container.image.v1+json");
        let v2 = "application/vnd.docker.distribution.manifest.v2+json";
        for (manifest, is_settled) in [
            (of(None, None, "application/vnd.docker.distribution.manifest.v1+prettyjws"), true),
            (of(None, None, "application/vnd.docker.distribution.manifest.v1+json"), true),
            (of(image, None, v2), true),
            (of(Some(EMPTY_MEDIA_TYPE), Some("application/spdx+json"), v2), true),
            (of(Some(EMPTY_MEDIA_TYPE), Some(CONFIG_MEDIA_TYPE), v2), false),
            (of(Some(CONFIG_MEDIA_TYPE), None, v2), false),
            (of(Some(EMPTY_MEDIA_TYPE), None, v2), false),
            (of(Some(""), None, v2), false),
            (of(None, None, "application/json"), false),
            (of(None, None, "text/html"), false),
        ] {
            assert_eq!(Artifact::of_untrusted(&manifest).is_some(), is_settled, "{manifest:?}");
        }
    }

    #[test]
    fn creation_time_is_read_only_in_rfc_3339() {
        let expected = Some(datetime!(2026-11-22 10:00:00.5 +02:00));
        for (text, created_at) in
            [("2026-11-22T10:00:00.5+02:00", expected), ("yesterday", None), ("", None)]
        {
            let artifact = Artifact::of(&manifest(Some(CONFIG_MEDIA_TYPE), Some(text)));
            let Artifact::Chart(chart) = artifact else { panic!("no chart") };
            assert_eq!(chart.created_at, created_at, "{text}");
        }
    }

    #[test]
    fn chart_has_one_layer_within_the_limit() {
        let digest = Digest::sha256(b"");
        let layer = |size: u64| {
            serde_json::json!({"mediaType": CHART_MEDIA_TYPE, "digest":
            digest.as_str(), "size": size})
        };
        let provenance =
            serde_json::json!({"mediaType": "application/vnd.cncf.helm.chart.provenance.v1.prov"});
        let nowhere =
            serde_json::json!({"mediaType": "application/tar+gzip", "digest": "sha256:x"});
        for (layers, expected) in [
            (vec![layer(7), provenance.clone()], Ok((digest.clone(), 7))),
            (vec![provenance], Err("has no layer of type")),
            (vec![layer(7), layer(7)], Err("more than one layer")),
            (vec![nowhere], Err("\"sha256:x\", which is not a digest")),
            (vec![layer(33 << 20)], Err("more than 33554432 bytes")),
        ] {
            let layers =
                layers.into_iter().map(|layer| serde_json::from_value(layer).unwrap()).collect();
            let artifact =
                Artifact::of(&Manifest { layers, ..manifest(Some(CONFIG_MEDIA_TYPE), None) });
            let Artifact::Chart(chart) = artifact else { panic!("no chart") };
            match (chart.layer(), expected) {
                (Err(defect), Err(expected)) => {
                    assert!(defect.to_string().contains(expected), "{defect}");
                }
                (layer, expected) => assert_eq!(layer.ok(), expected.ok()),
            }
        }
    }

    #[test]
    fn other_artifacts_are_named_by_their_most_specific_type() {
        let image = "application/vnd.oci.image.config.v1+json";
        let named = Artifact::of(&manifest(Some(image), None));
        assert_eq!(named, Artifact::Other { media_type: image.to_owned() });
        let index = Artifact::of(&manifest(None, None));
        let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
        assert_eq!(index, Artifact::Other { media_type });
    }
}
