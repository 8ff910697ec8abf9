//! How much of a chart we are willing to read. Whatever is past one of these makes the chart
//! BROKEN, with the limit named. Together they keep one chart, however hostile, within some tens of
//! megabytes and milliseconds.

/// Largest chart layer as the registry has it, in bytes. Helm's own charts are some kilobytes; the
/// largest that people publish, with many subcharts, are a few megabytes.
pub const LAYER_LIMIT: usize = 32 * 1024 * 1024;

/// Largest config blob, in bytes: it is one `Chart.yaml`.
pub const CONFIG_LIMIT: usize = 1024 * 1024;

/// Largest chart layer unpacked, all gzip members together, in bytes. gzip makes a thousandth of
/// what is all alike: this is where a bomb is stopped. Helm's own limit is 100 MiB.
pub(super) const UNPACKED_LIMIT: u64 = 128 * 1024 * 1024;

/// Largest file that is kept, in bytes: every one is a text that a person wrote.
pub(super) const FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// Largest file that may be read while other charts are, in bytes. Larger ones are read one at a
/// time, so that many of them at once do not add up.
pub(super) const SMALL_FILE: u64 = 64 * 1024;

/// All kept files of a chart together, in bytes: one large file and some of usual size.
pub(super) const KEPT_LIMIT: u64 = FILE_LIMIT + 8 * SMALL_FILE;

/// Most entries of an archive. A chart with all its subcharts has some thousands.
pub(super) const ENTRIES_MAX: usize = 20_000;

/// Longest description of one entry, its long name for example, in bytes. POSIX limits a path to 4
/// KiB.
pub(super) const EXTENSION_LIMIT: u64 = 64 * 1024;

/// Deepest nesting of a YAML or JSON text. Nobody writes ten levels; parsers recurse.
pub(super) const DEPTH_MAX: usize = 64;

/// Most values in a YAML or JSON text, aliases counted as what they stand for. A form with a
/// thousand inputs has twenty thousand.
pub(super) const NODES_MAX: usize = 50_000;

/// All JSON columns of a chart together, in bytes: a file at its limit and some of usual size, as
/// JSON.
pub(super) const COLUMNS_LIMIT: usize = (4 * 1024 + 512) * 1024;

/// All texts in a YAML file, aliases counted as what they stand for: so many times the file, and a
/// small file's size beside that. Small files are read many at a time, and must not become large
/// ones.
pub(super) const EXPANSION_MAX: usize = 4;

/// Longest chart name, version, app version, commit, branch or repository, in bytes. They are
/// searched for, and an index takes 2.7 kB at the most; Helm's own names are 53 at the most.
pub(super) const TEXT_MAX: usize = 512;

/// Longest description, in bytes: it is shown in lists.
pub(super) const DESCRIPTION_MAX: usize = 16 * 1024;

/// Longest error text of a row, in bytes.
pub(super) const ERROR_MAX: usize = 2048;
