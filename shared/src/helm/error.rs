//! The defects of charts, which make a chart BROKEN. A fault of the network or of a registry is not
//! a defect.

use std::io;

use super::limits::{
    COLUMNS_LIMIT, DEPTH_MAX, ENTRIES_MAX, EXTENSION_LIMIT, FILE_LIMIT, KEPT_LIMIT, LAYER_LIMIT,
    NODES_MAX, UNPACKED_LIMIT,
};
use super::media_types::CHART_MEDIA_TYPE;

/// A defect of a chart. The chart's row shows the text, so it names the file and the limit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest has no chart layer.
    #[error("the manifest has no layer of type {CHART_MEDIA_TYPE}")]
    NoLayer,
    /// The manifest has more than one chart layer.
    #[error("the manifest has more than one layer of type {CHART_MEDIA_TYPE}")]
    SeveralLayers,
    /// The descriptor of the layer has no valid digest.
    #[error("the manifest names its chart layer by {0:?}, which is not a digest")]
    NoLayerDigest(String),
    /// The layer is too large.
    #[error("the chart layer has more than {LAYER_LIMIT} bytes")]
    LayerTooLarge,
    /// The layer has another size than its descriptor says.
    #[error("the chart layer has {actual} bytes and the manifest says {claimed}")]
    LayerSize {
        /// The size that the descriptor says.
        claimed: u64,
        /// The actual size.
        actual: u64,
    },
    /// The unpacked layer is too large.
    #[error("the chart layer unpacks to more than {UNPACKED_LIMIT} bytes")]
    UnpackedTooLarge,
    /// The archive has too many entries.
    #[error("the archive has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// The description of an entry, such as a long name, is too large.
    #[error(
        "the archive has a description of {size} bytes for one entry; the limit is \
         {EXTENSION_LIMIT}"
    )]
    ExtensionTooLarge {
        /// The size, in bytes.
        size: u64,
    },
    /// Two headers disagree about the size of an entry, so programs would disagree about the
    /// contents.
    #[error(
        "the archive gives an entry two sizes, {ustar} in its header and {pax} in its extended \
         header"
    )]
    TwoSizes {
        /// The size in the header.
        ustar: u64,
        /// The size in the extended header.
        pax: u64,
    },
    /// The layer is damaged, or it is not a tar archive compressed with gzip.
    #[error("the chart layer is not an intact tar archive, compressed with gzip")]
    Unreadable(#[source] io::Error),
    /// A file is too large.
    #[error("{file} has {size} bytes; the limit is {FILE_LIMIT}")]
    FileTooLarge {
        /// The file.
        file: &'static str,
        /// The size, in bytes.
        size: u64,
    },
    /// All kept files together are too large.
    #[error("{file} and the files before it have more than {KEPT_LIMIT} bytes")]
    KeptTooLarge {
        /// The file that passed the limit.
        file: &'static str,
    },
    /// The archive has a file twice, so programs would disagree about the contents.
    #[error("the archive has more than one {file}")]
    Twice {
        /// The file.
        file: &'static str,
    },
    /// The chart has no `Chart.yaml`.
    #[error("the archive has no Chart.yaml in its folder")]
    NoChartYaml,
    /// A file is not UTF-8 text.
    #[error("{file} is not UTF-8")]
    NotUtf8 {
        /// The file.
        file: &'static str,
    },
    /// A file is empty.
    #[error("{file} is empty")]
    Empty {
        /// The file.
        file: &'static str,
    },
    /// A file is nested too deeply.
    #[error("{file} is nested deeper than {DEPTH_MAX} levels")]
    TooDeep {
        /// The file.
        file: &'static str,
    },
    /// A file has too many values.
    #[error("{file} has more than {NODES_MAX} values after its aliases are expanded")]
    TooManyNodes {
        /// The file.
        file: &'static str,
    },
    /// A file's aliases expand to too much text.
    #[error("{file} has too much text after its aliases are expanded")]
    TooMuchText {
        /// The file.
        file: &'static str,
    },
    /// The extension files are too large as JSON.
    #[error("{file} and the files before it have more than {COLUMNS_LIMIT} bytes as JSON")]
    JsonTooLarge {
        /// The file.
        file: &'static str,
    },
    /// A file does not have the expected form.
    #[error("{file}: {reason}")]
    Malformed {
        /// The file.
        file: &'static str,
        /// The reason, with the line.
        reason: String,
    },
    /// A field of Chart.yaml is missing.
    #[error("{file}: {field} is missing")]
    Missing {
        /// The file.
        file: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field has a value that is not allowed.
    #[error("{file}: {field} {value:?} {reason}")]
    Wrong {
        /// The file.
        file: &'static str,
        /// The field.
        field: &'static str,
        /// The beginning of its value.
        value: String,
        /// Why it is not allowed.
        reason: String,
    },
}
