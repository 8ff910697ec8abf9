//! Chart archives made of a few bytes, right ones and wrong ones. What Helm itself packages is
//! `crate::helm`'s.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

/// A Chart.yaml with nothing wrong in it.
pub const CHART_YAML: &str = "apiVersion: v2\nname: chart\nversion: 1.0.0\n";

/// The layer of a chart with nothing but a [`CHART_YAML`].
#[must_use]
pub fn plain() -> Vec<u8> {
    Archive::new().file("chart/Chart.yaml", CHART_YAML).pack()
}

/// A tar archive, block by block, so that it may be wrong.
#[derive(Debug, Clone, Default)]
pub struct Archive(Vec<u8>);

impl Archive {
    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.entry(path, EntryType::Regular, contents.as_ref())
    }

    /// Adds an entry of any type. The path is written as it is, and cut at the header's 100 bytes.
    #[must_use]
    pub fn entry(self, path: &str, kind: EntryType, contents: &[u8]) -> Self {
        self.claiming(path, kind, contents.len() as u64, contents)
    }

    /// Adds an entry whose header says that it has another size.
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

    /// Adds an extended header for the entry behind it.
    #[must_use]
    pub fn pax(self, key: &str, value: &str) -> Self {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length.to_string().len() + rest.len() != length {
            length += 1;
        }
        self.entry("pax", EntryType::XHeader, format!("{length}{rest}").as_bytes())
    }

    /// Adds bytes that are no entry.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// The archive without its end.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The archive with its end, compressed.
    #[must_use]
    pub fn pack(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        gzip(&self.0)
    }
}

/// One gzip member. The same bytes give the same.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    // Into memory: there is nothing to fail.
    written.unwrap_or_default()
}
