//! Chooses the name of a new registry's deployment kind.

use serde::Deserialize;

/// The name of a new registry's kind. It applies only when the registry's row is made, so that
/// discovery does not undo an admin's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KindNaming {
    /// The last path segment of the repository's name. If another repository has that kind, the
    /// full name.
    #[default]
    Name,
    /// Always the full repository name.
    Path,
}
