//! Maps each repository to a hash of its tag list. The entries are packed into a few items, and an
//! item is written only if it has changed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use shared::domain::{Repository, Tag};

use super::packed::{
    Corrupt, CursorEntry, ITEMS, PackedItem, bytes_of, hash_of_bytes, item_of, pack, unpack,
};
use super::standing::Standing;

/// The bytes that a partition takes in a millisecond.
const BYTES_PER_MILLISECOND: u64 = 500;

/// The entries of one instance.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    by_name: HashMap<u64, CursorEntry>,
    /// The hash of each item as DynamoDB has it; `None` if it has no usable one.
    stored: [Option<u64>; ITEMS],
}

/// Returns the hash of a tag list, which is never 0. The list must be sorted and without
/// duplicates.
pub(crate) fn hash_of_tags(tags: &[Tag]) -> u64 {
    hash(tags.iter().map(Tag::as_str)).max(1)
}

/// Returns the hash of some words. It is the same in every process of one build. Another build may
/// hash differently, so that it compares every list once.
pub(crate) fn hash<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.for_each(|word| word.hash(&mut hasher));
    hasher.finish()
}

fn key(repository: &Repository) -> u64 {
    hash(std::iter::once(repository.as_str()))
}

impl Entries {
    /// Returns the entry of a repository.
    pub(crate) fn get(&self, repository: &Repository) -> Option<CursorEntry> {
        self.by_name.get(&key(repository)).copied()
    }

    /// Remembers that a tag list was handled to the end. `is_unsettled` says that a difference
    /// remains.
    pub(crate) fn settle(&mut self, repository: &Repository, tags: u64, is_unsettled: bool) {
        let entry = self.entry(repository);
        (entry.tags, entry.standing) = (tags, Standing::of(is_unsettled));
    }

    /// Remembers the mark of a repository whose rows agree with a tag list that was read later.
    pub(crate) fn set_mark(&mut self, repository: &Repository, mark: u32) {
        self.entry(repository).mark = mark;
    }

    /// Remembers that another writer changed the rows, so that they may differ from the tag list.
    pub(crate) fn note(&mut self, repository: &Repository) {
        self.entry(repository).standing = Standing::Noted;
    }

    /// Remembers that the rows do not agree with the tag list.
    pub(crate) fn unsettle(&mut self, repository: &Repository) {
        self.settle(repository, 0, true);
    }

    /// Remembers that the current scan has listed a repository.
    pub(crate) fn mark_listed(&mut self, repository: &Repository) {
        self.entry(repository).is_listed = true;
    }

    /// Remembers that the current scan needs no other visit of a repository.
    pub(crate) fn mark_visited(&mut self, repository: &Repository) {
        self.entry(repository).is_visited = true;
    }

    /// Returns whether the current scan needs no other visit of a repository.
    pub(crate) fn is_visited(&self, repository: &Repository) -> bool {
        self.get(repository).is_some_and(|entry| entry.is_visited)
    }

    /// Returns whether there are repositories that the scan has not listed.
    pub(crate) fn has_unlisted(&self) -> bool {
        self.by_name.values().any(|entry| !entry.is_listed)
    }

    /// Forgets the hash of every list, so that the next pass compares every list with the rows.
    /// That costs no request.
    pub(crate) fn unsettle_all(&mut self) {
        self.by_name
            .values_mut()
            .for_each(|entry| (entry.tags, entry.standing) = (0, Standing::Unsettled));
    }

    /// Begins a scan, in which no repository is listed or visited yet.
    pub(crate) fn begin_scan(&mut self) {
        let entries = self.by_name.values_mut();
        entries.for_each(|entry| (entry.is_listed, entry.is_visited) = (false, false));
    }

    /// Forgets the repositories that the scan has neither listed nor visited, because it now asks
    /// for each of them.
    pub(crate) fn forget_unlisted(&mut self) {
        self.by_name.retain(|_, entry| entry.is_listed || entry.is_visited);
    }

    /// Ends a scan. Forgets the repositories that it has not listed, except for unsettled ones.
    pub(crate) fn end_scan(&mut self) {
        self.by_name.retain(|_, entry| entry.is_listed || entry.is_unsettled());
        self.begin_scan();
    }

    /// Unpacks an item that was read.
    ///
    /// # Errors
    /// Fails if the item has another format or another item's entries.
    pub(crate) fn read(&mut self, item: usize, bytes: &[u8]) -> Result<(), Corrupt> {
        self.by_name.extend(unpack(item, bytes)?);
        if let Some(stored) = self.stored.get_mut(item) {
            *stored = Some(hash_of_bytes(bytes));
        }
        Ok(())
    }

    /// Returns the items that differ from those in DynamoDB.
    pub(crate) fn changed(&self) -> Vec<PackedItem> {
        let mut items: Vec<Vec<(u64, CursorEntry)>> = vec![Vec::new(); ITEMS];
        for (key, entry) in &self.by_name {
            if let Some(item) = items.get_mut(item_of(*key)) {
                item.push((*key, *entry));
            }
        }
        let packed = items.into_iter().map(pack).enumerate();
        packed
            .filter(|(item, bytes)| self.stored.get(*item) != Some(&Some(hash_of_bytes(bytes))))
            .collect()
    }

    /// Returns how long it takes to write all items.
    pub(crate) fn write_time(&self) -> Duration {
        let has_marks = self.by_name.values().any(|entry| entry.mark != 0);
        let bytes = bytes_of(self.by_name.len(), has_marks) as u64;
        Duration::from_millis(bytes / BYTES_PER_MILLISECOND)
    }

    /// Remembers that items were written.
    pub(crate) fn mark_stored(&mut self, items: &[PackedItem]) {
        for (item, bytes) in items {
            if let Some(stored) = self.stored.get_mut(*item) {
                *stored = Some(hash_of_bytes(bytes));
            }
        }
    }

    fn entry(&mut self, repository: &Repository) -> &mut CursorEntry {
        self.by_name.entry(key(repository)).or_insert_with(CursorEntry::unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(n: usize) -> Repository {
        format!("team/chart-{n}").parse().unwrap()
    }

    fn mark(n: usize) -> u32 {
        u32::try_from(n % 5).unwrap()
    }

    fn tags(words: &[&str]) -> Vec<Tag> {
        words.iter().map(|word| word.parse().unwrap()).collect()
    }

    #[test]
    fn tag_list_has_its_own_hash() {
        let hashes =
            [&["a", "b"][..], &["ab"], &["a"], &[]].map(|words| hash_of_tags(&tags(words)));
        let different: std::collections::HashSet<u64> = hashes.into_iter().collect();
        assert_eq!(different.len(), 4);
        assert_eq!(hash_of_tags(&tags(&["a", "b"])), hashes[0]);
    }

    #[test]
    fn entries_are_read_as_written_and_written_only_when_changed() {
        let mut entries = Entries::default();
        for n in 0..2000 {
            entries.mark_listed(&repository(n));
            if n % 3 == 0 {
                entries.mark_visited(&repository(n));
            }
            entries.settle(&repository(n), n as u64 + 1, n % 7 == 0);
            entries.set_mark(&repository(n), mark(n));
        }
        entries.note(&repository(14));
        let items = entries.changed();
        assert_eq!(items.len(), ITEMS);
        assert!(
            items.iter().all(|(_, bytes)| bytes.len() < 4096),
            "some thousands fit into an item"
        );
        entries.mark_stored(&items);
        assert!(entries.changed().is_empty());

        let mut read = Entries::default();
        for (item, bytes) in &items {
            read.read(*item, bytes).unwrap();
        }
        assert!(read.changed().is_empty());
        for n in 0..2000 {
            let (is_listed, is_visited) = (true, n % 3 == 0);
            let standing = if n == 14 { Standing::Noted } else { Standing::of(n % 7 == 0) };
            let (tags, mark) = (n as u64 + 1, mark(n));
            let expected = CursorEntry { tags, mark, standing, is_listed, is_visited };
            assert_eq!(read.get(&repository(n)), Some(expected));
        }
        read.settle(&repository(5), 77, false);
        assert_eq!(read.changed().len(), 1);
    }

    /// Fault 20.
    #[test]
    fn corrupt_item_is_dropped() {
        let mut entries = Entries::default();
        entries.settle(&repository(1), 1, false);
        let (item, good) =
            entries.changed().into_iter().find(|(_, bytes)| bytes.len() > 1).unwrap();
        let mut newer = good.clone();
        newer[0] = 3;
        let mut flags = good.clone();
        flags[17] = 17;
        for bad in [&[][..], &good[..10], &newer, &flags, b"rubbish of any sort"] {
            let mut read = Entries::default();
            assert_eq!(read.read(item, bad), Err(Corrupt));
            assert_eq!(read.get(&repository(1)), None);
        }
        assert_eq!(
            Entries::default().read((item + 1) % ITEMS, &good),
            Err(Corrupt),
            "another item's entry"
        );
    }

    #[test]
    fn scan_forgets_unlisted_repositories_except_unsettled_ones() {
        let mut entries = Entries::default();
        for (n, unsettled) in [(1, false), (2, true), (3, false)] {
            entries.settle(&repository(n), 9, unsettled);
        }
        entries.mark_listed(&repository(3));
        assert!(entries.has_unlisted());
        entries.end_scan();
        let left = [1, 2, 3].map(|n| entries.get(&repository(n)).is_some());
        assert_eq!(left, [false, true, true]);
    }
}
