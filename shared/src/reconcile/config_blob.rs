//! Reads a chart's config blob, which has the fields of Chart.yaml as JSON.

use crate::domain::Repository;
use crate::helm::{CONFIG_LIMIT, ChartManifest};
use crate::oci::{Blob, Client, Error};

/// The result of reading a config blob.
pub(super) enum ConfigBlob {
    Read(Vec<u8>),
    /// The chart has none, or it is past a limit.
    Nothing,
    /// The registry does not have it now.
    Missing,
}

/// Reads the config blob.
pub(super) async fn read_config(
    client: &Client,
    repository: &Repository,
    chart: &ChartManifest,
) -> Result<ConfigBlob, Error> {
    let Some(digest) = &chart.config else { return Ok(ConfigBlob::Nothing) };
    let read = async |blob: &mut Blob| {
        let mut bytes = Vec::new();
        while let Some(piece) = blob.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    match client.get_blob(repository, digest, CONFIG_LIMIT, read).await {
        Ok((_, bytes)) => Ok(ConfigBlob::Read(bytes)),
        Err(error) if error.is_transient() || error.is_asked_to_wait() => Err(error),
        // The caller can do without the config blob.
        Err(error) if error.is_beyond_limits() => Ok(ConfigBlob::Nothing),
        Err(_) => Ok(ConfigBlob::Missing),
    }
}
