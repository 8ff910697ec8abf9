//! The first step: asks the registry what a reference resolves to now.

use crate::domain::{Provider, Reference, Resolution, Subject};
use crate::helm::{Artifact, charts_perhaps_in};
use crate::oci::{Client, Descriptor, Error};

/// Asks the registry what a subject resolves to now. One request, but for an image index: one more for each manifest in
/// it that may be a chart.
///
/// # Errors
/// Everything but the one answer that means that the manifest does not exist. For ECR alone a repository that does not
/// exist is such an answer too: elsewhere a proxy or a missing permission says the same.
#[tracing::instrument(
    name = "look",
    skip_all,
    fields(registry = subject.registry.host(), repository = %subject.repository, reference = %subject.reference)
)]
pub async fn observe(client: &Client, subject: &Subject) -> Result<Resolution, Error> {
    let manifest = match client.get_manifest(&subject.repository, &subject.reference).await {
        Ok(manifest) => manifest,
        Err(error) if error.is_manifest_unknown() => return Ok(Resolution::Absent),
        Err(error) if error.is_name_unknown() && subject.registry.provider() == Provider::Ecr => {
            return Ok(Resolution::Absent);
        }
        Err(error) => return Err(error),
    };
    match Artifact::of(&manifest) {
        Artifact::Chart { created_at } => Ok(Resolution::Chart { digest: manifest.digest, created_at }),
        Artifact::Other { media_type } => {
            // A tag may resolve to an index with the chart in it. The tag's digest is the index's.
            for child in charts_perhaps_in(&manifest) {
                if let Some(Artifact::Chart { created_at }) = artifact_at(client, subject, child).await? {
                    return Ok(Resolution::Chart { digest: manifest.digest.clone(), created_at });
                }
            }
            tracing::debug!(media_type, "not a Helm chart");
            Ok(Resolution::NotAChart { digest: manifest.digest })
        }
    }
}

/// What an index lists; `None` when it is not there or cannot be taken.
async fn artifact_at(client: &Client, subject: &Subject, child: &Descriptor) -> Result<Option<Artifact>, Error> {
    let Ok(digest) = child.digest.parse() else { return Ok(None) };
    match client.get_manifest(&subject.repository, &Reference::Digest(digest)).await {
        Ok(manifest) => Ok(Some(Artifact::of(&manifest))),
        Err(error) if error.is_manifest_unknown() || error.is_beyond_limits() => Ok(None),
        Err(error) => Err(error),
    }
}
