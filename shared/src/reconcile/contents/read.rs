//! Reads what is inside one chart.

use tracing::debug;

use super::{LargeChartPermit, LargeChartPermits};
use crate::domain::{Contents, Repository};
use crate::helm::{self, ChartManifest, Fed, LAYER_LIMIT, Layer};
use crate::oci::{Blob, Client, Error};
use crate::reconcile::config_blob::{ConfigBlob, read_config};

/// Largest contents that may stay in memory during another request, in bytes. The README, the
/// values and their schema do not count, because they are limited themselves.
const SMALL_CONTENTS: usize = 64 * 1024;

/// The result of unpacking a layer.
enum Unpacked {
    /// The layer is unpacked.
    Done {
        layer: Box<Layer>,
        /// The permit, if unpacking took it.
        permit: Option<LargeChartPermit>,
    },
    /// The layer has a large file, and another chart holds the permit.
    NeedsPermit,
}

/// Reads what is inside a chart: one request for its layer. A second request, for the config blob,
/// follows only if the layer does not say the chart's name. Returns the permit as well if the chart
/// is large. The caller keeps it for as long as the contents are in memory.
///
/// # Errors
/// A fault of the network or of the registry, such as a layer without an end. A defect of the chart
/// is no error here: `Contents::error` holds it. It is trusted, because the digest of the bytes was
/// checked.
pub(crate) async fn read_contents(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
    permits: &LargeChartPermits,
) -> Result<(Contents, Option<LargeChartPermit>), Error> {
    let (mut contents, permit) = read_layer(client, repository, chart, permits).await?;
    contents.has_provenance = chart.has_provenance;
    let size = contents.size() - contents.documents_size();
    // A large chart does not wait for a second request, because it would keep the permit meanwhile.
    if contents.is_nameless() && permit.is_none() && size < SMALL_CONTENTS {
        match read_config(client, repository, chart).await? {
            ConfigBlob::Read(config) => helm::add_config(&mut contents, &config),
            ConfigBlob::Nothing => {}
            ConfigBlob::Missing => contents.is_incomplete = true,
        }
    }
    if let Some(error) = &contents.error {
        debug!(%repository, error, "the chart is broken");
    }
    Ok((contents, permit))
}

async fn read_layer(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
    permits: &LargeChartPermits,
) -> Result<(Contents, Option<LargeChartPermit>), Error> {
    let (digest, claimed) = match chart.layer() {
        Ok(layer) => layer,
        Err(defect) => {
            let mut contents = Contents::default();
            helm::add_defect(&mut contents, &defect);
            return Ok((contents, None));
        }
    };
    let mut held = None;
    loop {
        let has_permit = held.is_some();
        let unpack = async |blob: &mut Blob| unpack(blob, has_permit, permits).await;
        let (actual, unpacked) = client.get_blob(repository, &digest, LAYER_LIMIT, unpack).await?;
        match unpacked {
            Unpacked::Done { layer, permit } => {
                let mut contents = helm::contents_of_layer(*layer);
                if actual != claimed {
                    helm::add_defect(&mut contents, &helm::Error::LayerSize { claimed, actual });
                }
                return Ok((contents, held.or(permit)));
            }
            // The request has ended. Waiting during it would keep a connection and its request
            // permit from other charts.
            Unpacked::NeedsPermit => held = Some(permits.acquire().await),
        }
    }
}

/// Unpacks a layer. Stops early if a large file comes and the permit is taken.
async fn unpack(
    blob: &mut Blob,
    has_permit: bool,
    permits: &LargeChartPermits,
) -> Result<Unpacked, Error> {
    let (mut layer, mut permit) = (Box::<Layer>::default(), None);
    if has_permit {
        layer.allow_large();
    }
    while !layer.is_over()
        && let Some(piece) = blob.next().await?
    {
        let mut rest = &piece[..];
        while layer.feed(&mut rest) == Fed::LargeFileNext {
            permit = permits.try_acquire();
            if permit.is_none() {
                return Ok(Unpacked::NeedsPermit);
            }
            layer.allow_large();
        }
    }
    while layer.end() == Fed::LargeFileNext {
        permit = permits.try_acquire();
        if permit.is_none() {
            return Ok(Unpacked::NeedsPermit);
        }
        layer.allow_large();
    }
    Ok(Unpacked::Done { layer, permit })
}
