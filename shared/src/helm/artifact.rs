//! Tells Helm charts from everything else in a registry by the media type of their config blob.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::oci::Manifest;

/// The media type of a chart's config blob: the one mark every client that pushes charts agrees on.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";

/// The annotation that says when an artifact was made (image specification, "Pre-Defined Annotation Keys").
const CREATED_ANNOTATION: &str = "org.opencontainers.image.created";

/// What a manifest turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A Helm chart.
    Chart {
        /// When it says it was made; `None` when it does not say so in RFC 3339.
        created_at: Option<OffsetDateTime>,
    },
    /// Anything else.
    Other {
        /// The media type that shows it best: the config's, else the artifact's, else the manifest's.
        media_type: String,
    },
}

impl Artifact {
    /// Tells what a manifest is.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let config = manifest.config.as_ref().map(|config| config.media_type.as_str());
        if config.is_some_and(is_helm_config) {
            let text = manifest.annotations.get(CREATED_ANNOTATION);
            let created_at = text.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
            return Self::Chart { created_at };
        }
        let shown = config.filter(|media_type| !media_type.is_empty());
        let shown = shown.or(manifest.artifact_type.as_deref()).or(manifest.media_type.as_deref());
        Self::Other { media_type: shown.unwrap_or("unknown").to_owned() }
    }
}

/// Whether this is the media type of a chart's config blob. Media types compare without case (RFC 6838, 4.2), and a
/// parameter such as `;charset=utf-8` does not make another type.
#[must_use]
pub fn is_helm_config(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(CONFIG_MEDIA_TYPE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use time::macros::datetime;

    use super::*;
    use crate::domain::Digest;
    use crate::oci::Descriptor;

    fn manifest(config: Option<&str>, created: Option<&str>) -> Manifest {
        let created = created.map(|text| (CREATED_ANNOTATION.to_owned(), text.to_owned()));
        let config =
            config.map(|media_type| Descriptor { media_type: media_type.to_owned(), digest: String::new(), size: 2 });
        Manifest {
            digest: Digest::sha256(b""),
            media_type: Some("application/vnd.oci.image.manifest.v1+json".to_owned()),
            artifact_type: None,
            config,
            layers: Vec::new(),
            annotations: created.into_iter().collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn the_config_media_type_makes_the_chart() {
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
            assert_eq!(matches!(artifact, Artifact::Chart { .. }), is_chart, "{config:?}");
        }
    }

    #[test]
    fn creation_time_is_taken_only_when_it_is_one() {
        let expected = Some(datetime!(2026-11-22 10:00:00.5 +02:00));
        for (text, created_at) in [("2026-11-22T10:00:00.5+02:00", expected), ("yesterday", None), ("", None)] {
            let artifact = Artifact::of(&manifest(Some(CONFIG_MEDIA_TYPE), Some(text)));
            assert_eq!(artifact, Artifact::Chart { created_at }, "{text}");
        }
    }

    #[test]
    fn other_artifacts_are_named_by_their_most_telling_type() {
        let image = "application/vnd.oci.image.config.v1+json";
        let named = Artifact::of(&manifest(Some(image), None));
        assert_eq!(named, Artifact::Other { media_type: image.to_owned() });
        let index = Artifact::of(&manifest(None, None));
        let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
        assert_eq!(index, Artifact::Other { media_type });
    }
}
