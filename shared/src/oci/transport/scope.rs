//! The access that a request needs.

use std::fmt;

use crate::domain::Repository;

/// The access that a request needs, in the terms of the registry's token specification.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// Lists the repositories.
    Catalog,
    /// Pulls from one repository.
    Repository(&'a Repository),
}

/// Formats the scope for the request to a realm.
impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Repository(repository) => write!(f, "repository:{repository}:pull"),
        }
    }
}
