//! The name of a registry in its rows, which follows the settings of the instance.

use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::Registry;

/// Leaves out a repository that has several rows, because a name may belong to one row only.
const RENAME: &str = "\
UPDATE helm_registries AS registry
SET domain_name = stored_domain_name($2)
WHERE registry_host(domain_name) = $1
    AND domain_name <> stored_domain_name($2)
    AND provider = 'Oci'
    AND NOT EXISTS (
        SELECT
        FROM helm_registries AS other
        WHERE registry_host(other.domain_name) = $1
            AND other.repo_name = registry.repo_name
            AND other.id <> registry.id
    )
RETURNING id";

impl Database {
    /// Gives the rows of a registry its name as the settings have it now, such as `https://` in
    /// place of `http://`. Returns the number of rows. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn rename_registry(&self, registry: &Registry) -> Result<usize, Error> {
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&registry.domain_name().as_str(), Type::TEXT)];
        let renamed = self.query("rename the registry's rows", RENAME, parameters).await?;
        Ok(renamed.len())
    }
}
