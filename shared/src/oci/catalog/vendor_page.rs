//! One page of a list of repositories.

use std::time::Duration;

use time::OffsetDateTime;

use crate::domain::Repository;

/// The age from which on a repository's last change is a reliable mark. Vendors write times in
/// whole seconds, and some of their servers lag behind others. So a second change could leave a
/// younger mark the same.
const SETTLED: Duration = Duration::from_mins(1);

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
            repository.changed_at = repository.changed_at.filter(|at| *at + SETTLED <= time);
        }
        RepositoryPage { repositories, skipped: self.skipped }
    }
}
