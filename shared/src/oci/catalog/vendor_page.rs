//! One page of a list of repositories.

use std::hash::{DefaultHasher, Hasher as _};

use time::{Duration, OffsetDateTime};

use crate::domain::Repository;

/// The age from which on a repository's last change is a reliable mark. Vendors write times in
/// whole seconds, and some of their servers lag behind others. So a second change could leave a
/// younger mark the same.
const SETTLED: Duration = Duration::MINUTE;

/// One page of a list of repositories.
#[derive(Debug)]
pub struct RepositoryPage {
    /// The repositories, in the list's order.
    pub repositories: Vec<ListedRepository>,
    /// Number of names that break the specification's grammar. They are left out.
    pub skipped: u64,
}

/// A repository as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRepository {
    /// The repository.
    pub name: Repository,
    /// When the repository last changed, if the list tells it, and if the same time means that
    /// nothing has changed since.
    pub changed_at: Option<OffsetDateTime>,
}

/// One page of a vendor's list.
#[derive(Debug, Clone, Default)]
pub(super) struct VendorPage {
    pub(super) repositories: Vec<ListedRepository>,
    pub(super) skipped: u64,
    /// The path of the next page.
    pub(super) next: Option<String>,
    /// What the vendor sent.
    pub(super) fingerprint: Fingerprint,
}

/// A hash of a page's body. Two pages with different rows may list the same repositories, so only
/// the body tells whether the vendor sent the same page again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    /// Returns the fingerprint of a body.
    pub(super) fn of(body: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(body);
        Self(hasher.finish())
    }
}

impl VendorPage {
    /// Adds a repository, or counts a name that breaks the grammar.
    pub(super) fn add(&mut self, name: &str, changed_at: Option<OffsetDateTime>) {
        match name.parse() {
            Ok(name) => self.repositories.push(ListedRepository { name, changed_at }),
            Err(_) => self.skipped += 1,
        }
    }

    /// Returns the page as it was read at a time, without the marks that are too young.
    pub(super) fn read_at(self, time: OffsetDateTime) -> RepositoryPage {
        let mut repositories = self.repositories;
        for repository in &mut repositories {
            // A vendor may send the last minute that a time can have.
            let is_settled = |at: &OffsetDateTime| {
                at.checked_add(SETTLED).is_some_and(|settled| settled <= time)
            };
            repository.changed_at = repository.changed_at.filter(is_settled);
        }
        RepositoryPage { repositories, skipped: self.skipped }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn mark_that_is_too_young_or_past_every_time_is_no_mark() {
        let read_at = datetime!(2026-01-02 03:04:00 UTC);
        for (at, is_mark) in [
            (datetime!(2026-01-02 03:03:00 UTC), true),
            (datetime!(2026-01-02 03:03:01 UTC), false),
            (datetime!(9999-12-31 23:59:30 UTC), false),
        ] {
            let mut page = VendorPage::default();
            page.add("a", Some(at));
            let read = page.read_at(read_at);
            assert_eq!(read.repositories[0].changed_at.is_some(), is_mark, "{at}");
        }
    }
}
