//! Reads a chart's config blob, which has the fields of Chart.yaml as JSON.

use crate::domain::Repository;
use crate::helm::{CONFIG_LIMIT, ChartManifest};
use crate::oci::{Blob, Client, Error};

/// Reads the config blob. Returns `None` if the chart has none, or if the registry does not give
/// it.
pub(super) async fn read_config(
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
        // The caller can do without the config blob.
        Err(_) => Ok(None),
    }
}
