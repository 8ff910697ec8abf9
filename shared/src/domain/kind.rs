//! How the deployment kind of a registry is named when the registry is first seen.

use serde::Deserialize;

/// Which name a new registry's kind gets. Applies when the registry's row is made and never again,
/// so that a rename or a re-point by a site admin is not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KindNaming {
    /// The repository's last path segment; the full name where that kind belongs to another
    /// repository.
    #[default]
    Name,
    /// Always the full repository name.
    Path,
}
