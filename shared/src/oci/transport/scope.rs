//! What a request is allowed to do.

use std::fmt;

use crate::domain::Repository;

/// What a request is allowed to do, in the words of the token specification.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// List the repositories.
    Catalog,
    /// Pull from one.
    Repository(&'a Repository),
}

/// As a realm is asked for it.
impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Repository(repository) => write!(f, "repository:{repository}:pull"),
        }
    }
}
