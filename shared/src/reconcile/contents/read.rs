//! The second half of the first step: opens a chart that nobody has looked into yet.

use std::sync::Arc;

use tracing::debug;

use super::{Room, Taken};
use crate::domain::{Contents, Repository};
use crate::helm::{self, CONFIG_LIMIT, ChartManifest, Fed, LAYER_LIMIT, Layer};
use crate::oci::{Blob, Client, Error};

/// Contents that may be held while something else is asked for, in bytes.
const SMALL: usize = 64 * 1024;

/// Reads what is inside a chart. One request; one more, for the config blob, where the layer does
/// not tell the chart's name.
///
/// # Errors
/// A fault of the network or the registry, a layer without end among them. What is wrong with the
/// chart itself is in its contents, and is known from bytes whose digest is right.
pub(crate) async fn open(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
    room: &Room,
) -> Result<(Contents, Taken), Error> {
    let (mut contents, taken) = read_layer(client, repository, chart, room).await?;
    // While there is much in memory nobody is waited for.
    if contents.is_nameless()
        && taken.is_none()
        && contents.size() < SMALL
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
    // Whoever waits for room does not keep others from asking: the layer is asked for again with
    // room for it.
    let mut taken = None;
    let (layer, actual) = loop {
        let has_room = taken.is_some();
        let unpack = async |blob: &mut Blob| unpack(blob, has_room, room).await;
        let (actual, unpacked) = client.get_blob(repository, &digest, LAYER_LIMIT, unpack).await?;
        match unpacked {
            Some((layer, guard)) => {
                taken = taken.or(guard);
                break (layer, actual);
            }
            None => taken = Some(Arc::clone(room).lock_owned().await),
        }
    };
    // Only now is it known that these are the bytes.
    let mut contents = layer.into_contents();
    if actual != claimed {
        contents.add_defect(&helm::Error::LayerSize { claimed, actual });
    }
    Ok((contents, taken))
}

/// Unpacks a layer; gives up when there is no room for a large file in it.
async fn unpack(
    blob: &mut Blob,
    mut has_room: bool,
    room: &Room,
) -> Result<Option<(Layer, Taken)>, Error> {
    let (mut layer, mut taken): (Layer, Taken) = Default::default();
    let mut make_room = |layer: &mut Layer| {
        if !has_room {
            taken = Arc::clone(room).try_lock_owned().ok();
            has_room = taken.is_some();
        }
        layer.allow_large();
        has_room
    };
    while !layer.is_over()
        && let Some(piece) = blob.next().await?
    {
        let mut rest = &piece[..];
        while layer.feed(&mut rest) == Fed::NeedsRoom {
            if !make_room(&mut layer) {
                return Ok(None);
            }
        }
    }
    while layer.end() == Fed::NeedsRoom {
        if !make_room(&mut layer) {
            return Ok(None);
        }
    }
    Ok(Some((layer, taken)))
}

/// The config blob, if there is one that is read.
async fn read_config(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(digest) = &chart.config else { return Ok(None) };
    let read = async |blob: &mut Blob| {
        let mut bytes = Vec::new();
        while let Some(piece) = blob.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    match client.get_blob(repository, digest, CONFIG_LIMIT, read).await {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(error) if error.is_transient() || error.is_asked_to_wait() => Err(error),
        // The chart is broken already, and is told without it.
        Err(_) => Ok(None),
    }
}
