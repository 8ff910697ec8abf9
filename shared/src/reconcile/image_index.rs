//! Fetches manifests, and finds the chart in an image index.

use super::config_blob::{ConfigBlob, read_config};
use crate::domain::{Contents, Reference, Repository};
use crate::helm::{self, Artifact, ChartManifest, charts_perhaps_in};
use crate::oci::{Client, Descriptor, Error, FetchedManifest, Manifest};

/// A manifest, and the kind of artifact that it describes.
pub(super) struct SeenArtifact {
    pub(super) manifest: Manifest,
    pub(super) artifact: Artifact,
}

impl SeenArtifact {
    /// Asks the registry for a manifest. If the digest of its bytes is wrong, only its types count:
    /// what cannot be a chart needs no digest.
    ///
    /// # Errors
    /// As [`Client::get_manifest`].
    pub(super) async fn fetch(
        client: &Client,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Self, Error> {
        match client.fetch_manifest(repository, reference).await? {
            FetchedManifest::Verified(manifest) => {
                Ok(Self { artifact: Artifact::of(&manifest), manifest })
            }
            FetchedManifest::Mismatched { manifest, error } => {
                let artifact = Artifact::of_untrusted(&manifest).ok_or(error)?;
                // The row of a chart in it would get a wrong digest.
                Ok(Self { artifact, manifest: Manifest { manifests: None, ..manifest } })
            }
        }
    }
}

/// What an image index lists, as far as charts are concerned.
pub(super) enum IndexedChart {
    /// A chart.
    Chart {
        chart: ChartManifest,
        /// Whether the registry lacks something, so that the index may list a better chart.
        is_incomplete: bool,
    },
    /// No chart, but a manifest that may be one and that the registry does not have. It may arrive
    /// later, as with replication and pull-through caches.
    NotThere,
    /// No chart, but a manifest that may be one and for which the registry answered 404 without
    /// saying that it is unknown.
    Unconfirmed(Error),
    /// No chart.
    Nothing,
}

/// Returns the chart that an image index lists: the one that has the name of the repository's last
/// segment, or else the first.
///
/// # Errors
/// A fault of the network or of the registry.
pub(super) async fn chart_in(
    client: &Client,
    repository: &Repository,
    index: &Manifest,
) -> Result<IndexedChart, Error> {
    let mut charts = Vec::new();
    let mut rest = IndexedChart::Nothing;
    for child in charts_perhaps_in(index) {
        match artifact_at(client, repository, child).await {
            Ok(Some(Artifact::Chart(chart))) => charts.push(chart),
            Ok(_) => {}
            Err(error) if error.is_manifest_unknown() => rest = IndexedChart::NotThere,
            Err(error) if error.is_not_found() => rest = IndexedChart::Unconfirmed(error),
            Err(error) => return Err(error),
        }
    }
    let mut is_incomplete = !matches!(rest, IndexedChart::Nothing);
    if charts.len() > 1 {
        for chart in &charts {
            match name_of(client, repository, chart).await? {
                ChartName::Known(name) if name == repository.last_segment() => {
                    return Ok(IndexedChart::Chart { chart: chart.clone(), is_incomplete: false });
                }
                ChartName::Known(_) | ChartName::Nothing => {}
                ChartName::Missing => is_incomplete = true,
            }
        }
    }
    let first = charts.into_iter().next();
    Ok(first.map_or(rest, |chart| IndexedChart::Chart { chart, is_incomplete }))
}

/// A chart's name, as far as its index must know it.
enum ChartName {
    Known(String),
    /// The chart has none.
    Nothing,
    /// The registry does not have the blob with the name now.
    Missing,
}

/// Returns a chart's name, from its manifest or its config blob.
async fn name_of(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
) -> Result<ChartName, Error> {
    if let Some(title) = &chart.title {
        return Ok(ChartName::Known(title.clone()));
    }
    let mut contents = Contents::default();
    match read_config(client, repository, chart).await? {
        ConfigBlob::Read(config) => helm::add_config(&mut contents, &config),
        ConfigBlob::Nothing => {}
        ConfigBlob::Missing => return Ok(ChartName::Missing),
    }
    Ok(contents.chart_name.map_or(ChartName::Nothing, ChartName::Known))
}

/// Gets a manifest that an index lists. Returns `None` if it is past a limit.
async fn artifact_at(
    client: &Client,
    repository: &Repository,
    child: &Descriptor,
) -> Result<Option<Artifact>, Error> {
    let Ok(digest) = child.digest.parse() else { return Ok(None) };
    match SeenArtifact::fetch(client, repository, &Reference::Digest(digest)).await {
        Ok(seen) => Ok(Some(seen.artifact)),
        Err(error) if error.is_beyond_limits() => Ok(None),
        Err(error) => Err(error),
    }
}
