//! Bodies of the messages that ECR sends to `ecr-events`.

use serde_json::json;
use shared::domain::Digest;

use crate::support::stack::event;

pub(crate) fn push(repository: &str, tag: &str, digest: &Digest) -> String {
    event("PUSH", repository, Some(tag), digest).to_string()
}

pub(crate) fn delete(repository: &str, tag: Option<&str>, digest: &Digest) -> String {
    event("DELETE", repository, tag, digest).to_string()
}

/// A push of something with another media type than Helm's.
pub(crate) fn push_image(repository: &str, tag: &str, digest: &Digest) -> String {
    let mut event = event("PUSH", repository, Some(tag), digest);
    event["detail"]["artifact-media-type"] = json!("application/vnd.oci.image.config.v1+json");
    event.to_string()
}
