//! Unpacks a chart's layer, which is a tar archive compressed with gzip, in pieces as they arrive.
//! Keeps in memory the few files that rows need, and writes no file.
//!
//! The `tar` crate decodes the headers, but does not walk over the entries, because an archive may
//! be hostile. The crate would read a long name of any size into memory. It would also silently
//! choose one of two sizes if the headers of an entry disagree.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use tar::{EntryType, GnuExtSparseHeader, GnuHeader, Header};

use super::Error;
use super::entry_header::{check_sum, is_header_only};
use super::entry_path::path_in_chart;
use super::extended::Extended;
use super::kept_file::{FoundDocument, KeptDocument, KeptFile, kept_file, too_large};
use super::limits::{
    DOCUMENT_LIMIT, ENTRIES_MAX, EXTENSION_LIMIT, FILE_LIMIT, KEPT_LIMIT, SMALL_FILE,
    UNPACKED_LIMIT,
};

/// Bytes in a block. A header is one block, and data is padded to whole blocks.
const BLOCK: usize = 512;

/// The useful parts of a layer.
#[derive(Debug, Default)]
pub(super) struct Archive {
    /// The files that are read into columns, as far as the archive has them.
    pub(super) files: BTreeMap<&'static str, Vec<u8>>,
    /// The documents that the archive has.
    pub(super) documents: BTreeMap<KeptDocument, FoundDocument>,
    /// True if the chart has a folder `platz`. Then its legacy extension files are ignored.
    pub(super) has_platz_folder: bool,
    /// The archive's defects, in the order in which they were found.
    pub(super) defects: Vec<Error>,
}

/// The result of feeding a piece of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// The whole piece was taken.
    All,
    /// A large file comes next. The caller must call [`Layer::allow_large`] before it continues.
    LargeFileNext,
}

/// A layer that is being unpacked.
#[derive(Debug)]
pub struct Layer(MultiGzDecoder<Walk>);

/// The walk over the unpacked archive. The decoder writes the unpacked bytes to it.
#[derive(Debug)]
struct Walk {
    archive: Archive,
    state: ArchiveState,
    /// The block that is being filled, if the state needs a whole one.
    block: Vec<u8>,
    extended: Extended,
    entries: usize,
    kept: u64,
    unpacked: u64,
    may_be_large: bool,
}

#[derive(Debug)]
enum ArchiveState {
    /// A header comes next.
    Header,
    /// More of the map of a sparse file (old GNU format) comes next. The file's data follows.
    SparseMap { path: Vec<u8>, size: u64 },
    /// A description of the next entry comes next.
    Extension { kind: EntryType, bytes: Vec<u8>, left: u64 },
    /// A file to keep comes next.
    Keep { file: KeptFile, bytes: Vec<u8>, left: u64 },
    /// Bytes to skip come next.
    Skip { left: u64 },
    /// The archive has ended, or has a defect that ends the walk.
    Over,
}

impl Default for Layer {
    fn default() -> Self {
        Self(MultiGzDecoder::new(Walk {
            archive: Archive::default(),
            state: ArchiveState::Header,
            block: Vec::with_capacity(BLOCK),
            extended: Extended::default(),
            entries: 0,
            kept: 0,
            unpacked: 0,
            may_be_large: false,
        }))
    }
}

impl Layer {
    /// Takes `piece` from its beginning, up to its end or up to a large file.
    pub fn feed(&mut self, piece: &mut &[u8]) -> Fed {
        while !piece.is_empty() && !self.is_over() {
            match self.0.write(piece) {
                Ok(taken) => *piece = piece.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Fed::LargeFileNext;
                }
                // Bytes behind the end of the archive mean nothing, whatever the decoder says.
                Err(_) if self.is_over() => {}
                Err(error) => self.0.get_mut().fail(Error::Unreadable(error)),
            }
        }
        Fed::All
    }

    /// Ends the layer. The caller has no more pieces.
    pub fn end(&mut self) -> Fed {
        if !self.is_over() {
            match self.0.try_finish() {
                Ok(()) => self.0.get_mut().end(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Fed::LargeFileNext;
                }
                Err(error) => self.0.get_mut().fail(Error::Unreadable(error)),
            }
        }
        Fed::All
    }

    /// Returns whether the walk has ended, so that further pieces change nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.0.get_ref().state, ArchiveState::Over)
    }

    /// Allows large files from now on.
    pub fn allow_large(&mut self) {
        self.0.get_mut().may_be_large = true;
    }

    /// Takes the useful parts that were found.
    pub(super) fn take_archive(&mut self) -> Archive {
        std::mem::take(&mut self.0.get_mut().archive)
    }
}

/// Writing fails only if a large file comes that is not allowed yet. Defects are recorded instead.
impl Write for Walk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.state, ArchiveState::Over) {
            if self.is_large_file_next() {
                if rest.len() == bytes.len() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                break;
            }
            let before = rest.len();
            if let Err(defect) = self.step(&mut rest) {
                self.fail(defect);
            }
            self.unpacked += (before - rest.len()) as u64;
            if self.unpacked > UNPACKED_LIMIT {
                self.fail(Error::UnpackedTooLarge);
            }
        }
        let is_over = matches!(self.state, ArchiveState::Over);
        Ok(if is_over { bytes.len() } else { bytes.len() - rest.len() })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Walk {
    fn is_large_file_next(&self) -> bool {
        // A document is never large.
        matches!(
            self.state,
            ArchiveState::Keep { file: KeptFile { document: None, .. }, left, .. }
                if left > SMALL_FILE
        ) && !self.may_be_large
    }

    fn fail(&mut self, defect: Error) {
        self.archive.defects.push(defect);
        self.state = ArchiveState::Over;
    }

    /// Records a defect if the archive ends within an entry. An end between two entries is
    /// accepted, even without the block of zeros that marks it.
    fn end(&mut self) {
        let is_between = matches!(self.state, ArchiveState::Header) && self.block.is_empty();
        if !is_between && !matches!(self.state, ArchiveState::Over) {
            self.fail(Error::Unreadable(io::ErrorKind::UnexpectedEof.into()));
        }
    }

    /// Takes some bytes from the beginning of `rest`.
    fn step(&mut self, rest: &mut &[u8]) -> Result<(), Error> {
        match &mut self.state {
            ArchiveState::Header | ArchiveState::SparseMap { .. } => {
                let missing = BLOCK - self.block.len();
                self.block.extend_from_slice(split_off(rest, missing));
                if self.block.len() == BLOCK {
                    let block = std::mem::take(&mut self.block);
                    let state = std::mem::replace(&mut self.state, ArchiveState::Over);
                    self.state = if let ArchiveState::SparseMap { path, size } = state {
                        self.after_sparse_map(&block, path, size)?
                    } else {
                        self.after_header(&block)?
                    };
                }
            }
            ArchiveState::Extension { bytes, left, .. }
            | ArchiveState::Keep { bytes, left, .. } => {
                let more = split_off(rest, usize::try_from(*left).unwrap_or(usize::MAX));
                bytes.extend_from_slice(more);
                *left -= more.len() as u64;
                if *left == 0 {
                    let state = std::mem::replace(&mut self.state, ArchiveState::Header);
                    self.state = self.after_bytes(state)?;
                }
            }
            ArchiveState::Skip { left } => {
                *left -= split_off(rest, usize::try_from(*left).unwrap_or(usize::MAX)).len() as u64;
                if *left == 0 {
                    self.state = ArchiveState::Header;
                }
            }
            ArchiveState::Over => {}
        }
        Ok(())
    }

    /// Returns the state after a header. A block of zeros ends the archive.
    fn after_header(&mut self, block: &[u8]) -> Result<ArchiveState, Error> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(ArchiveState::Over);
        }
        let header = Header::from_byte_slice(block);
        check_sum(header)?;
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return Err(Error::TooManyEntries);
        }
        // The stored size. For a sparse file it is less than the size of the file.
        let size = header.entry_size().map_err(Error::Unreadable)?;
        match header.entry_type() {
            EntryType::XHeader | EntryType::GNULongName if size > EXTENSION_LIMIT => {
                Err(Error::ExtensionTooLarge { size })
            }
            kind @ (EntryType::XHeader | EntryType::GNULongName) => {
                let state = ArchiveState::Extension { kind, bytes: Vec::new(), left: size };
                if size == 0 { self.after_bytes(state) } else { Ok(state) }
            }
            EntryType::XGlobalHeader | EntryType::GNULongLink => Ok(skip(padded(size)?)),
            kind => {
                let Extended { path, size: pax_size } = std::mem::take(&mut self.extended);
                if let Some(pax) = pax_size.filter(|pax| *pax != size) {
                    return Err(Error::TwoSizes { ustar: size, pax });
                }
                let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
                if kind.is_gnu_sparse() && header.as_gnu().is_some_and(GnuHeader::is_extended) {
                    return Ok(ArchiveState::SparseMap { path, size });
                }
                self.after_path(&path, kind, size)
            }
        }
    }

    fn after_sparse_map(
        &mut self,
        block: &[u8],
        path: Vec<u8>,
        size: u64,
    ) -> Result<ArchiveState, Error> {
        let mut map = GnuExtSparseHeader::new();
        map.as_mut_bytes().copy_from_slice(block);
        if map.is_extended() {
            return Ok(ArchiveState::SparseMap { path, size });
        }
        self.after_path(&path, EntryType::GNUSparse, size)
    }

    /// Decides whether an entry is kept or skipped.
    fn after_path(
        &mut self,
        path: &[u8],
        kind: EntryType,
        size: u64,
    ) -> Result<ArchiveState, Error> {
        let path = path_in_chart(path).unwrap_or_default();
        // Go's reader, which Helm uses, ignores the size that such an entry claims.
        let size = if is_header_only(kind) { 0 } else { size };
        self.archive.has_platz_folder |=
            path.starts_with("platz/") && kind.is_file() || path == "platz" && kind.is_dir();
        let Some(file) = kept_file(&path).filter(|_| kind.is_file()) else {
            return Ok(skip(padded(size)?));
        };
        let is_kept = match file.document {
            Some(document) => self.admit_document(document, file.name, size),
            None => self.admit_file(file.name, size),
        };
        if !is_kept {
            return Ok(skip(padded(size)?));
        }
        // Safe, because the size is within the limit, and untouched memory costs nothing.
        let bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let state = ArchiveState::Keep { file, bytes, left: size };
        if size == 0 { self.after_bytes(state) } else { Ok(state) }
    }

    /// Returns whether a file for columns is kept. If not, notes the defect.
    fn admit_file(&mut self, file: &'static str, size: u64) -> bool {
        self.kept = self.kept.saturating_add(size);
        let defect = if self.archive.files.contains_key(file) {
            Error::Twice { file }
        } else if size > FILE_LIMIT {
            Error::FileTooLarge { file, size }
        } else if self.kept > KEPT_LIMIT {
            Error::KeptTooLarge { file }
        } else {
            return true;
        };
        self.archive.defects.push(defect);
        false
    }

    /// Returns whether a document is kept. If not, notes the reason. Helm shows the first README.
    fn admit_document(&mut self, document: KeptDocument, name: &'static str, size: u64) -> bool {
        let documents = &mut self.archive.documents;
        match documents.get_mut(&document) {
            Some(_) if document == KeptDocument::Readme => return false,
            Some(found) => found.bytes = Err("is there more than once".to_owned()),
            None if size > DOCUMENT_LIMIT => {
                let bytes = Err(too_large(size));
                documents.insert(document, FoundDocument { name, bytes });
            }
            None => return true,
        }
        false
    }

    /// Stores the bytes that were collected. Returns the state that skips their padding.
    fn after_bytes(&mut self, collected: ArchiveState) -> Result<ArchiveState, Error> {
        let size = match collected {
            ArchiveState::Keep { file: KeptFile { name, document }, bytes, .. } => {
                let size = bytes.len();
                if let Some(document) = document {
                    let found = FoundDocument { name, bytes: Ok(bytes) };
                    self.archive.documents.insert(document, found);
                } else {
                    self.archive.files.insert(name, bytes);
                }
                size
            }
            ArchiveState::Extension { kind: EntryType::GNULongName, mut bytes, .. } => {
                let size = bytes.len();
                bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(size));
                self.extended.path = Some(bytes);
                size
            }
            ArchiveState::Extension { bytes, .. } => {
                self.extended.add_pax(&bytes)?;
                bytes.len()
            }
            other => return Ok(other),
        };
        Ok(skip((size.next_multiple_of(BLOCK) - size) as u64))
    }
}

fn skip(left: u64) -> ArchiveState {
    if left == 0 { ArchiveState::Header } else { ArchiveState::Skip { left } }
}

fn padded(size: u64) -> Result<u64, Error> {
    // A size that overflows is far above the limit.
    size.checked_next_multiple_of(BLOCK as u64).ok_or(Error::UnpackedTooLarge)
}

/// Takes at most `size` bytes from the beginning of `rest`.
fn split_off<'a>(rest: &mut &'a [u8], size: usize) -> &'a [u8] {
    let (first, second) = rest.split_at(size.min(rest.len()));
    *rest = second;
    first
}
