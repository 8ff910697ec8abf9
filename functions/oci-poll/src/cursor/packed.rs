//! Packs entries into the items that DynamoDB stores.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::standing::{NOTED, Standing, UNSETTLED};

/// The number of items for the entries of an instance. The hash of a repository's name chooses its
/// item, so that a change rewrites a sixteenth of the entries.
pub(crate) const ITEMS: usize = 16;

/// The first byte of an item. Another value is an older or a newer format.
const FORMAT: u8 = 1;

/// The first byte of an item whose entries have marks. Instances without marks do not pay for them.
const FORMAT_WITH_MARKS: u8 = 2;

/// The most bytes of items in one transaction, unless a single item is larger. A transaction costs
/// two write units per 1,000 bytes, and a partition of DynamoDB takes 1,000 units a second.
const CHUNK_BYTES: usize = 200_000;

/// The bytes of one entry: the hash of the name, the hash of the tags, the flags.
const ENTRY_BYTES: usize = 17;

/// The bytes of a mark behind an entry.
const MARK_BYTES: usize = 4;

/// The most entries of one item. An entry that does not fit is dropped, which costs requests.
const ENTRIES_MAX: usize = 14_000;

const LISTED: u8 = 2;
const VISITED: u8 = 4;

/// The memory of one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CursorEntry {
    /// The hash of the tag list with which the rows agree. 0 if they agree with none, or if that is
    /// not known.
    pub(crate) tags: u64,
    /// The change mark: a hash of the time of the last change, as the vendor's list had it before
    /// the tag list was read. 0 if there is none.
    pub(crate) mark: u32,
    /// Whether the rows agree with that list.
    pub(crate) standing: Standing,
    /// Whether the current scan has listed the repository.
    pub(crate) is_listed: bool,
    /// Whether the current scan needs no other visit of the repository.
    pub(crate) is_visited: bool,
}

/// The number of an item, and its bytes.
pub(super) type PackedItem = (usize, Vec<u8>);

/// The error about an item that cannot be read. The item is dropped, so that its repositories are
/// compared with the database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

impl CursorEntry {
    /// Makes the entry of a repository of which nothing is known.
    pub(super) fn unknown() -> Self {
        let (standing, is_listed, is_visited) = (Standing::Unsettled, false, false);
        Self { tags: 0, mark: 0, standing, is_listed, is_visited }
    }

    /// Returns whether the next pass compares the repository again.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.standing != Standing::Settled
    }

    /// Returns whether another writer changed the rows since the list was compared.
    pub(crate) fn is_noted(&self) -> bool {
        self.standing == Standing::Noted
    }
}

/// Returns the number of the item that has the entry of a name with this hash.
pub(super) fn item_of(key: u64) -> usize {
    usize::try_from(key >> 60).unwrap_or_default()
}

/// Packs the entries of one item, by the hash of the name.
pub(super) fn pack(mut entries: Vec<(u64, CursorEntry)>) -> Vec<u8> {
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries.truncate(ENTRIES_MAX);
    let has_marks = entries.iter().any(|(_, entry)| entry.mark != 0);
    let mut bytes = vec![if has_marks { FORMAT_WITH_MARKS } else { FORMAT }];
    for (key, entry) in entries {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        bytes.extend(key.to_be_bytes());
        bytes.extend(entry.tags.to_be_bytes());
        bytes.push(
            entry.standing.flag() | flag(entry.is_listed, LISTED) | flag(entry.is_visited, VISITED),
        );
        if has_marks {
            bytes.extend(entry.mark.to_be_bytes());
        }
    }
    bytes
}

/// Unpacks the entries of an item.
///
/// # Errors
/// Fails if the item has another format or another item's entries.
pub(super) fn unpack(item: usize, bytes: &[u8]) -> Result<Vec<(u64, CursorEntry)>, Corrupt> {
    let (format, packed) = bytes.split_first().ok_or(Corrupt)?;
    let size = match *format {
        FORMAT => ENTRY_BYTES,
        FORMAT_WITH_MARKS => ENTRY_BYTES + MARK_BYTES,
        _ => return Err(Corrupt),
    };
    if packed.len() % size != 0 {
        return Err(Corrupt);
    }
    packed.chunks_exact(size).map(|entry| unpack_entry(item, entry)).collect()
}

fn unpack_entry(item: usize, entry: &[u8]) -> Result<(u64, CursorEntry), Corrupt> {
    let (key, rest) = entry.split_first_chunk::<8>().ok_or(Corrupt)?;
    let (tags, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
    let (flags, mark) = rest.split_first().ok_or(Corrupt)?;
    let mark = mark.first_chunk::<MARK_BYTES>().map_or(0, |mark| u32::from_be_bytes(*mark));
    let (key, tags) = (u64::from_be_bytes(*key), u64::from_be_bytes(*tags));
    if item_of(key) != item || *flags > (UNSETTLED | LISTED | VISITED | NOTED) {
        return Err(Corrupt);
    }
    let has = |flag| flags & flag != 0;
    let standing = if has(NOTED) { Standing::Noted } else { Standing::of(has(UNSETTLED)) };
    let (is_listed, is_visited) = (has(LISTED), has(VISITED));
    Ok((key, CursorEntry { tags, mark, standing, is_listed, is_visited }))
}

/// Returns the bytes of all entries.
pub(super) fn bytes_of(entries: usize, has_marks: bool) -> usize {
    entries * if has_marks { ENTRY_BYTES + MARK_BYTES } else { ENTRY_BYTES }
}

/// Splits items into chunks that one transaction each can write. There is one chunk at least.
pub(super) fn chunks_of(items: Vec<PackedItem>) -> Vec<Vec<PackedItem>> {
    let mut chunks = vec![Vec::new()];
    let mut size = 0;
    for item in items {
        if size > 0 && size + item.1.len() > CHUNK_BYTES {
            chunks.push(Vec::new());
            size = 0;
        }
        size += item.1.len();
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(item);
        }
    }
    chunks
}

/// Returns a hash that shows whether an item has changed.
pub(super) fn hash_of_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_costs_less_than_a_partition_takes_in_a_second() {
        let item = |number, bytes| (number, vec![0; bytes]);
        let largest = 1 + bytes_of(ENTRIES_MAX, true);
        for (items, expected) in [
            (vec![], vec![0]),
            (vec![item(0, 1), item(1, 1)], vec![2]),
            (vec![item(0, 120_000), item(1, 80_000), item(2, 1)], vec![2, 1]),
            (vec![item(0, largest), item(1, largest)], vec![1, 1]),
            ((0..16).map(|number| item(number, 60_000)).collect(), vec![3, 3, 3, 3, 3, 1]),
        ] {
            let chunks = chunks_of(items);
            assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), expected);
            let size = |chunk: &Vec<PackedItem>| chunk.iter().map(|item| item.1.len()).sum();
            assert!(chunks.iter().map(size).all(|size: usize| 2 * size / 1000 < 600));
        }
    }

    #[test]
    fn marks_cost_bytes_only_where_there_are_any() {
        let key = |n: u64| (n, CursorEntry { tags: n, ..CursorEntry::unknown() });
        let mut entries: Vec<(u64, CursorEntry)> = (1..4).map(key).collect();
        assert_eq!(pack(entries.clone()).len(), 1 + 3 * 17);
        entries[1].1.mark = 0x0102_0304;
        let packed = pack(entries.clone());
        assert_eq!(packed.len(), 1 + 3 * 21);
        assert_eq!(unpack(0, &packed), Ok(entries));
        assert_eq!(unpack(0, &packed[..packed.len() - 1]), Err(Corrupt));
    }
}
