//! The first step: asks the registry what references resolve to now, several at a time.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::stream::{self, Stream, StreamExt as _};
use time::OffsetDateTime;

use super::ClientFor;
use super::image_index::{IndexedChart, SeenArtifact, chart_in};
use super::pending::Pending;
use crate::domain::{Digest, Provider, Subject};
use crate::helm::{Artifact, ChartManifest};
use crate::oci::{Client, Error};

/// The result of resolving a reference, as far as the manifest says.
#[derive(Debug)]
pub(crate) enum LookAnswer {
    /// A Helm chart.
    Chart(UnreadChart),
    /// A manifest that is no Helm chart.
    NotAChart {
        /// The manifest's digest.
        digest: Digest,
        /// The media type that describes the artifact best.
        media_type: String,
        /// Whether it is an image index, and the registry lacks a manifest in it that may be a
        /// chart.
        is_incomplete: bool,
    },
    /// The registry has no such manifest.
    Absent,
    /// The registry answered 404, but did not say that the manifest is unknown.
    Unconfirmed(UnconfirmedAbsence),
    /// The registry answered that it does not know the repository.
    Denied(Error),
}

/// A 404 that proves nothing yet.
#[derive(Debug)]
pub(crate) enum UnconfirmedAbsence {
    /// The answer for the reference itself.
    OfReference(Error),
    /// The answer for a manifest in the image index that the reference resolves to.
    InIndex(Error),
}

/// A Helm chart whose contents have not been read.
#[derive(Debug, Clone)]
pub(crate) struct UnreadChart {
    /// The digest that the reference resolves to.
    pub(crate) digest: Digest,
    /// When the chart was made. `None` stands for the time at which it is first seen.
    pub(crate) created_at: Option<OffsetDateTime>,
    /// The chart's manifest. If the reference resolves to an image index, it has another digest.
    pub(crate) manifest: ChartManifest,
    /// Whether it is in an image index that may list a better chart, which the registry lacks.
    pub(crate) is_incomplete: bool,
}

/// A subject that was looked at, and the answer.
pub(super) struct FinishedLook {
    pub(super) subject: Subject,
    pub(super) answer: Result<LookAnswer, Error>,
}

impl UnconfirmedAbsence {
    /// Returns the registry's answer.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Self::OfReference(error) | Self::InIndex(error) => error,
        }
    }
}

impl LookAnswer {
    /// Returns the digest that the reference resolves to.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Chart(UnreadChart { digest, .. }) | Self::NotAChart { digest, .. } => {
                Some(digest)
            }
            Self::Absent | Self::Unconfirmed(_) | Self::Denied(_) => None,
        }
    }
}

/// Looks at everything that is pending, with at most `concurrency` requests at a time. Looks that
/// end together come together.
pub(super) fn look(
    client_for: impl ClientFor,
    pending: &Pending,
    concurrency: usize,
) -> impl Stream<Item = Vec<FinishedLook>> {
    let concurrency = concurrency.max(1);
    let looks = pending.subjects().map(move |subject| {
        let client = client_for(&subject.registry);
        async move {
            let answer = match client {
                // A panic fails its own look and no other.
                Ok(client) => AssertUnwindSafe(observe(&client, subject)).catch_unwind().await,
                Err(error) => Ok(Err(error)),
            };
            FinishedLook {
                subject: subject.clone(),
                answer: answer.unwrap_or(Err(Error::Panicked)),
            }
        }
    });
    stream::iter(looks).buffer_unordered(concurrency).ready_chunks(concurrency)
}

/// Asks the registry what a subject resolves to now. Sends one request. For an image index it sends
/// one more per manifest in it that may be a chart, and if several are, may read their names.
///
/// # Errors
/// Every failure except a 404. `MANIFEST_UNKNOWN` is [`LookAnswer::Absent`], `NAME_UNKNOWN` is
/// [`LookAnswer::Denied`], and every other 404 is [`LookAnswer::Unconfirmed`]. A repository that
/// does not exist counts as absent in ECR only. Elsewhere a proxy or a missing permission gives the
/// same answer. ECR always says what it does not know, so that another 404 is a fault there.
#[tracing::instrument(
    name = "look",
    skip_all,
    fields(registry = subject.registry.host(), repository = %subject.repository, reference =
        %subject.reference)
)]
pub(crate) async fn observe(client: &Client, subject: &Subject) -> Result<LookAnswer, Error> {
    let is_ecr = subject.registry.provider() == Provider::Ecr;
    let seen = match SeenArtifact::fetch(client, &subject.repository, &subject.reference).await {
        Ok(seen) => seen,
        Err(error) if error.is_manifest_unknown() => return Ok(LookAnswer::Absent),
        Err(error) if error.is_name_unknown() && is_ecr => return Ok(LookAnswer::Absent),
        Err(error) if error.is_name_unknown() => return Ok(LookAnswer::Denied(error)),
        Err(error) if error.is_not_found() && !is_ecr => {
            return Ok(LookAnswer::Unconfirmed(UnconfirmedAbsence::OfReference(error)));
        }
        Err(error) => return Err(error),
    };
    let SeenArtifact { manifest, artifact } = seen;
    let digest = manifest.digest.clone();
    match artifact {
        Artifact::Chart(manifest) => Ok(chart(digest, manifest, false)),
        // A tag may resolve to an index that has the chart in it. The row gets the digest of the
        // index, because the tag resolves to that.
        Artifact::Other { media_type } => {
            let is_incomplete = match chart_in(client, &subject.repository, &manifest).await? {
                IndexedChart::Chart { chart: manifest, is_incomplete } => {
                    return Ok(chart(digest, manifest, is_incomplete));
                }
                IndexedChart::Unconfirmed(error) if is_ecr => return Err(error),
                IndexedChart::Unconfirmed(error) => {
                    return Ok(LookAnswer::Unconfirmed(UnconfirmedAbsence::InIndex(error)));
                }
                IndexedChart::NotThere => true,
                IndexedChart::Nothing => false,
            };
            tracing::debug!(media_type, is_incomplete, "not a Helm chart");
            Ok(LookAnswer::NotAChart { digest, media_type, is_incomplete })
        }
    }
}

fn chart(digest: Digest, manifest: ChartManifest, is_incomplete: bool) -> LookAnswer {
    let created_at = manifest.created_at;
    LookAnswer::Chart(UnreadChart { digest, created_at, manifest, is_incomplete })
}
