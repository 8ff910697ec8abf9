//! Builds small chart archives, valid and invalid ones. `crate::helm` packages charts with the real
//! Helm client.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

/// A valid Chart.yaml.
pub const CHART_YAML: &str = "apiVersion: v2\nname: chart\nversion: 1.0.0\n";

/// Returns the layer of a chart that holds only [`CHART_YAML`].
#[must_use]
pub fn plain() -> Vec<u8> {
    Archive::new().file("chart/Chart.yaml", CHART_YAML).pack()
}

/// A tar archive, written block by block, so that it may be invalid.
#[derive(Debug, Clone, Default)]
pub struct Archive(Vec<u8>);

impl Archive {
    /// Makes an empty archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.entry(path, EntryType::Regular, contents.as_ref())
    }

    /// Adds an entry of any type. The path is written unchanged, but cut to the header's 100 bytes.
    #[must_use]
    pub fn entry(self, path: &str, kind: EntryType, contents: &[u8]) -> Self {
        self.claiming(path, kind, contents.len() as u64, contents)
    }

    /// Adds an entry whose header claims another size.
    #[must_use]
    pub fn claiming(mut self, path: &str, kind: EntryType, size: u64, contents: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        for (to, from) in header.as_old_mut().name.iter_mut().zip(path.as_bytes()) {
            *to = *from;
        }
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Adds an extended header for the next entry.
    #[must_use]
    pub fn pax(self, key: &str, value: &str) -> Self {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length.to_string().len() + rest.len() != length {
            length += 1;
        }
        self.entry("pax", EntryType::XHeader, format!("{length}{rest}").as_bytes())
    }

    /// Adds raw bytes that are not an entry.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// Returns the archive without its end marker.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Returns the compressed archive with its end marker.
    #[must_use]
    pub fn pack(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        gzip(&self.0)
    }
}

/// Compresses bytes to one gzip member. The same bytes give the same result.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    // Writing to memory cannot fail.
    written.unwrap_or_default()
}
