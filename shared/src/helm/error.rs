//! What can be wrong with a chart itself: what makes it BROKEN. A fault of the network or of a
//! registry is none of these.

use std::io;

use super::limits::{
    COLUMNS_LIMIT, DEPTH_MAX, ENTRIES_MAX, EXTENSION_LIMIT, FILE_LIMIT, KEPT_LIMIT, LAYER_LIMIT,
    NODES_MAX, UNPACKED_LIMIT,
};
use super::media_types::CHART_MEDIA_TYPE;

/// A defect of a chart. Its text is what the chart's row shows, so it names the file and the limit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest has no chart layer.
    #[error("the manifest has no layer of type {CHART_MEDIA_TYPE}")]
    NoLayer,
    /// The manifest has more than one chart layer.
    #[error("the manifest has more than one layer of type {CHART_MEDIA_TYPE}")]
    SeveralLayers,
    /// The descriptor of the layer has no digest that could be asked for.
    #[error("the manifest names its chart layer by {0:?}, which is no digest")]
    NoLayerDigest(String),
    /// The layer is larger than we read.
    #[error("the chart layer has more than {LAYER_LIMIT} bytes")]
    LayerTooLarge,
    /// The layer has another size than its descriptor says.
    #[error("the chart layer has {actual} bytes and the manifest says {claimed}")]
    LayerSize {
        /// What the descriptor says.
        claimed: u64,
        /// What it is.
        actual: u64,
    },
    /// The layer unpacks to more than we read.
    #[error("the chart layer unpacks to more than {UNPACKED_LIMIT} bytes")]
    UnpackedTooLarge,
    /// More entries than we go over.
    #[error("the archive has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// A name, or another description of an entry, that is longer than any name.
    #[error(
        "the archive has a description of {size} bytes for one entry; the limit is \
         {EXTENSION_LIMIT}"
    )]
    ExtensionTooLarge {
        /// Its size.
        size: u64,
    },
    /// Two parts of the archive disagree about the size of an entry, so that programs disagree
    /// about what is in it.
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
    /// The layer is no gzip-compressed tar archive, or is damaged.
    #[error("the chart layer is no intact tar archive, compressed with gzip")]
    Unreadable(#[source] io::Error),
    /// A file is larger than we keep.
    #[error("{file} has {size} bytes; the limit is {FILE_LIMIT}")]
    FileTooLarge {
        /// The file.
        file: &'static str,
        /// Its size.
        size: u64,
    },
    /// All files that are kept are larger than we keep.
    #[error("{file} and the files before it have more than {KEPT_LIMIT} bytes")]
    KeptTooLarge {
        /// The file that was one too many.
        file: &'static str,
    },
    /// The archive has a file twice, so that programs disagree about what is in it.
    #[error("the archive has more than one {file}")]
    Twice {
        /// The file.
        file: &'static str,
    },
    /// The one file that every chart must have is missing.
    #[error("the archive has no Chart.yaml in its folder")]
    NoChartYaml,
    /// A file is no text.
    #[error("{file} is not UTF-8")]
    NotUtf8 {
        /// The file.
        file: &'static str,
    },
    /// A file has nothing in it.
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
    /// A file has too many values in it.
    #[error("{file} has more than {NODES_MAX} values, aliases counted as what they stand for")]
    TooManyNodes {
        /// The file.
        file: &'static str,
    },
    /// A file stands for much more text than is in it.
    #[error("{file} has too much text, aliases counted as what they stand for")]
    TooMuchText {
        /// The file.
        file: &'static str,
    },
    /// The extension files are larger as JSON than we store.
    #[error("{file} and the files before it have more than {COLUMNS_LIMIT} bytes as JSON")]
    JsonTooLarge {
        /// The file.
        file: &'static str,
    },
    /// A file is not what it should be.
    #[error("{file}: {reason}")]
    Malformed {
        /// The file.
        file: &'static str,
        /// The line and what is wrong there.
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
    /// A field of Chart.yaml cannot be taken.
    #[error("{file}: {field} {value:?} {reason}")]
    Wrong {
        /// The file.
        file: &'static str,
        /// The field.
        field: &'static str,
        /// The beginning of its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}
