//! Checks the header of an archive's entry.

use std::io;

use tar::{EntryType, Header};

use super::Error;

/// Verifies a header's checksum, which counts its own field as spaces.
pub(super) fn check_sum(header: &Header) -> Result<(), Error> {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let bytes = header.as_bytes();
    let own = bytes.get(148..156).map_or(0, sum);
    if header.cksum().map_err(Error::Unreadable)? == sum(bytes) - own + 8 * u32::from(b' ') {
        return Ok(());
    }
    Err(Error::Unreadable(io::Error::other("the checksum of an entry's header is wrong")))
}

/// Returns whether an entry is a header only, without data.
pub(super) fn is_header_only(kind: EntryType) -> bool {
    kind.is_hard_link()
        || kind.is_symlink()
        || kind.is_character_special()
        || kind.is_block_special()
        || kind.is_dir()
        || kind.is_fifo()
}
