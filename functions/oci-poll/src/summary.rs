//! What an invocation answers.

use serde::Serialize;

/// The most errors a summary carries: it must fit into an answer of 6 MB.
const ERRORS_MAX: usize = 50;

/// The numbers of one invocation.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// The instance's name.
    pub(crate) instance: String,
    /// Passes over the whole registry that were begun.
    pub(crate) passes: u64,
    /// Repositories whose tags were listed.
    pub(crate) repositories: u64,
    /// Tags in those lists.
    pub(crate) tags: u64,
    /// Manifests fetched.
    pub(crate) manifests: u64,
    /// Chart rows that became available.
    pub(crate) added: u64,
    /// Chart rows that became unavailable.
    pub(crate) unavailable: u64,
    /// Charts found to be broken.
    pub(crate) broken: u64,
    /// Names outside the specification's grammar, and references that turned out to be no charts.
    pub(crate) skipped: u64,
    /// Deletions held back because they were too many at once.
    pub(crate) held: u64,
    /// What went wrong, each with the repository it went wrong in.
    pub(crate) errors: Vec<String>,
    /// Whether every repository was read to its end.
    pub(crate) complete: bool,
}

impl Summary {
    /// Notes an error, or at least that there are more than a summary carries.
    pub(crate) fn add_error(&mut self, error: String) {
        match self.errors.len() {
            ..ERRORS_MAX => self.errors.push(error),
            ERRORS_MAX => self.errors.push("and more, which are in the log".to_owned()),
            _ => {}
        }
    }
}
