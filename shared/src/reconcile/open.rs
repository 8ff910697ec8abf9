//! The second half of the first step: opens a chart that nobody has looked into yet.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::debug;

use crate::domain::{Contents, Repository};
use crate::helm::{self, CONFIG_LIMIT, ChartManifest, Fed, LAYER_LIMIT, Layer};
use crate::oci::{Blob, Client, Error};

/// Whoever holds the lock may have a large chart in memory, so that many of them do not add up.
pub(super) type Room = Arc<Mutex<()>>;

/// A large chart is in memory for as long as this is held.
pub(super) type Taken = Option<OwnedMutexGuard<()>>;

/// Reads what is inside a chart. One request; one more, for the config blob, where the layer does not tell the chart's
/// name.
///
/// # Errors
/// A fault of the network or the registry. What is wrong with the chart itself is in its contents.
pub(super) async fn open(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
    room: &Room,
) -> Result<(Contents, Taken), Error> {
    let (mut contents, taken) = read_layer(client, repository, chart, room).await?;
    if contents.is_nameless()
        && let Some(config) = read_config(client, repository, chart).await?
    {
        contents.add_config(&config);
    }
    if let Some(error) = &contents.error {
        debug!(%repository, error, "the chart is broken");
    }
    Ok((contents, taken))
}

async fn read_layer(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
    room: &Room,
) -> Result<(Contents, Taken), Error> {
    let broken = |defect| {
        let mut contents = Contents::default();
        contents.add_defect(&defect);
        Ok((contents, None))
    };
    let (digest, claimed) = match chart.layer() {
        Ok(layer) => layer,
        Err(defect) => return broken(defect),
    };
    let unpack = async |blob: &mut Blob| {
        let (mut layer, mut taken): (Layer, Taken) = Default::default();
        while !layer.is_over()
            && let Some(piece) = blob.next().await?
        {
            let mut rest = &piece[..];
            while layer.feed(&mut rest) == Fed::NeedsRoom {
                taken = Some(Arc::clone(room).lock_owned().await);
                layer.allow_large();
            }
        }
        while layer.end() == Fed::NeedsRoom {
            taken = Some(Arc::clone(room).lock_owned().await);
            layer.allow_large();
        }
        Ok((layer.into_contents(), taken))
    };
    match client.get_blob(repository, &digest, LAYER_LIMIT, unpack).await {
        Ok((actual, (mut contents, taken))) => {
            if actual != claimed {
                contents.add_defect(&helm::Error::LayerSize { claimed, actual });
            }
            Ok((contents, taken))
        }
        Err(Error::TooLarge { .. }) => broken(helm::Error::LayerTooLarge),
        Err(error) => Err(error),
    }
}

/// The config blob, if there is one that is read.
async fn read_config(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(digest) = chart.config.as_ref().and_then(|config| config.digest.parse().ok()) else { return Ok(None) };
    let read = async |blob: &mut Blob| {
        let mut bytes = Vec::new();
        while let Some(piece) = blob.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    match client.get_blob(repository, &digest, CONFIG_LIMIT, read).await {
        Ok((_, bytes)) => Ok(Some(bytes)),
        // The chart is broken without it.
        Err(error) if error.is_not_found() || matches!(error, Error::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
