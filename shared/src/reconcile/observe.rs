//! The first step: asks the registry what a reference resolves to now.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::stream::{self, Stream, StreamExt as _};
use time::OffsetDateTime;

use super::ClientFor;
use super::pending::Pending;
use crate::domain::{Digest, Provider, Reference, Subject};
use crate::helm::{Artifact, ChartManifest, charts_perhaps_in};
use crate::oci::{Client, Descriptor, Error};

/// What a reference resolves to, as far as its manifest tells.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A Helm chart.
    Chart(SeenChart),
    /// A manifest that is no Helm chart.
    NotAChart {
        /// The manifest's digest.
        digest: Digest,
        /// The media type that shows best what it is.
        media_type: String,
    },
    /// Nothing.
    Absent,
}

/// A Helm chart whose contents have not been looked at.
#[derive(Debug, Clone)]
pub(crate) struct SeenChart {
    /// The digest that the reference resolves to.
    pub(crate) digest: Digest,
    /// When it was pushed or made; `None`: the time it is first seen.
    pub(crate) created_at: Option<OffsetDateTime>,
    /// The chart's manifest, which in an image index has another digest.
    pub(crate) manifest: ChartManifest,
}

/// A reference and what it resolves to.
pub(super) type Look = (Subject, Result<Seen, Error>);

impl Seen {
    /// The digest that the reference resolves to.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Chart(SeenChart { digest, .. }) | Self::NotAChart { digest, .. } => Some(digest),
            Self::Absent => None,
        }
    }
}

/// Looks at all that is pending. Those that come together are given together.
pub(super) fn look(
    client_for: impl ClientFor,
    pending: &Pending,
    concurrency: usize,
) -> impl Stream<Item = Vec<Look>> {
    let concurrency = concurrency.max(1);
    let looks = pending.subjects().map(move |subject| {
        let client = client_for(&subject.registry);
        async move {
            let seen = match client {
                // One look that panics is one look that failed.
                Ok(client) => AssertUnwindSafe(observe(&client, subject)).catch_unwind().await,
                Err(error) => Ok(Err(error)),
            };
            (subject.clone(), seen.unwrap_or(Err(Error::Panicked)))
        }
    });
    stream::iter(looks).buffer_unordered(concurrency).ready_chunks(concurrency)
}

/// Asks the registry what a subject resolves to now. One request, but for an image index: one more
/// for each manifest in it that may be a chart.
///
/// # Errors
/// Everything but the one answer that means that the manifest does not exist. For ECR alone a
/// repository that does not exist is such an answer too: elsewhere a proxy or a missing permission
/// says the same.
#[tracing::instrument(
    name = "look",
    skip_all,
    fields(registry = subject.registry.host(), repository = %subject.repository, reference =
        %subject.reference)
)]
pub(crate) async fn observe(client: &Client, subject: &Subject) -> Result<Seen, Error> {
    let manifest = match client.get_manifest(&subject.repository, &subject.reference).await {
        Ok(manifest) => manifest,
        Err(error) if error.is_manifest_unknown() => return Ok(Seen::Absent),
        Err(error) if error.is_name_unknown() && subject.registry.provider() == Provider::Ecr => {
            return Ok(Seen::Absent);
        }
        Err(error) => return Err(error),
    };
    let digest = manifest.digest.clone();
    let chart = |manifest: ChartManifest, digest| SeenChart {
        digest,
        created_at: manifest.created_at,
        manifest,
    };
    match Artifact::of(&manifest) {
        Artifact::Chart(manifest) => Ok(Seen::Chart(chart(manifest, digest))),
        Artifact::Other { media_type } => {
            // A tag may resolve to an index with the chart in it. The tag's digest is the index's.
            for child in charts_perhaps_in(&manifest) {
                if let Some(Artifact::Chart(manifest)) = artifact_at(client, subject, child).await?
                {
                    return Ok(Seen::Chart(chart(manifest, digest)));
                }
            }
            tracing::debug!(media_type, "not a Helm chart");
            Ok(Seen::NotAChart { digest, media_type })
        }
    }
}

/// What an index lists; `None` when it is not there or cannot be taken.
async fn artifact_at(
    client: &Client,
    subject: &Subject,
    child: &Descriptor,
) -> Result<Option<Artifact>, Error> {
    let Ok(digest) = child.digest.parse() else { return Ok(None) };
    match client.get_manifest(&subject.repository, &Reference::Digest(digest)).await {
        Ok(manifest) => Ok(Some(Artifact::of(&manifest))),
        Err(error) if error.is_manifest_unknown() || error.is_beyond_limits() => Ok(None),
        Err(error) => Err(error),
    }
}
