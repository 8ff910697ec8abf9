//! The limits for reading a chart. A chart that exceeds a limit is BROKEN, and its error names the
//! limit. Together, the limits bound the memory and the time that even a hostile chart takes: some
//! tens of megabytes, and some tens of milliseconds.

/// Largest compressed chart layer, in bytes. Most charts have some kilobytes. The largest published
/// ones, with many subcharts, have a few megabytes.
pub const LAYER_LIMIT: usize = 32 * 1024 * 1024;

/// Largest config blob, in bytes. It holds one `Chart.yaml`.
pub const CONFIG_LIMIT: usize = 1024 * 1024;

/// Largest unpacked chart layer, with all gzip members together, in bytes. It stops gzip bombs,
/// because gzip can shrink uniform data a thousandfold. Helm's own limit is 100 MiB.
pub(super) const UNPACKED_LIMIT: u64 = 128 * 1024 * 1024;

/// Largest file that is kept, in bytes. Every such file is a text that a person wrote.
pub(super) const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// Largest file that may be read while other charts are read, in bytes. Larger files are read one
/// at a time, so that they do not fill the memory.
pub(super) const SMALL_FILE: u64 = 64 * 1024;

/// Largest README, values file, schema of the values, or metadata as JSON, in bytes. A larger one
/// is left out, and the chart is not BROKEN. Most have some tens of kilobytes.
pub(super) const DOCUMENT_LIMIT: u64 = 256 * 1024;

/// Largest total of a chart's files that are read into columns, in bytes: one large file and some
/// of usual size.
pub(super) const KEPT_LIMIT: u64 = FILE_LIMIT + 8 * SMALL_FILE;

/// Largest number of entries in an archive. A chart with all its subcharts has some thousands.
pub(super) const ENTRIES_MAX: usize = 20_000;

/// Longest description of one entry, such as its long name, in bytes. POSIX limits a path to 4 KiB.
pub(super) const EXTENSION_LIMIT: u64 = 64 * 1024;

/// Deepest nesting of a YAML or JSON text. Real files have less than ten levels. Parsers recurse,
/// so a deep text could overflow the stack.
pub(super) const DEPTH_MAX: usize = 64;

/// Largest number of values in a YAML or JSON text, after its aliases are expanded. A form with a
/// thousand inputs has twenty thousand values.
pub(super) const NODES_MAX: usize = 50_000;

/// Largest total of a chart's JSON columns, in bytes: one file at its limit and some of usual size.
pub(super) const COLUMNS_LIMIT: usize = (4 * 1024 + 512) * 1024;

/// Limits the text of a YAML file after its aliases are expanded, as a multiple of the file's size.
/// [`SMALL_FILE`] is added to the limit. Many small files are read at the same time, so they must
/// not become large.
pub(super) const EXPANSION_MAX: usize = 4;

/// Longest chart name, version, app version, commit, branch or repository, in bytes. An entry of a
/// Postgres index can have at most 2.7 kB. Helm limits a release name to 53 bytes.
pub(super) const TEXT_MAX: usize = 512;

/// Longest description, in bytes. It is short, because lists show descriptions.
pub(super) const DESCRIPTION_MAX: usize = 16 * 1024;
