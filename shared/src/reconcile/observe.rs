//! The first step: asks the registry what a reference resolves to now.

use crate::domain::{Provider, Resolution, Subject};
use crate::helm::Artifact;
use crate::oci::{Client, Error};

/// Asks the registry what a subject resolves to now. One request.
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
    Ok(match Artifact::of(&manifest) {
        Artifact::Chart { created_at } => Resolution::Chart { digest: manifest.digest, created_at },
        Artifact::Other { media_type } => {
            tracing::debug!(media_type, "not a Helm chart");
            Resolution::NotAChart { digest: manifest.digest }
        }
    })
}
