//! The repositories whose charts users can pick.

use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository};

const REPOSITORIES: &str = "\
SELECT repo_name
FROM helm_registries AS registry
WHERE registry_host(domain_name) = $1
    AND EXISTS (
        SELECT
        FROM helm_charts AS chart
        WHERE chart.helm_registry_id = registry.id AND chart.available
    )";

impl Database {
    /// Lists the repositories of a registry that have an available chart.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn chart_repositories(&self, registry: &Registry) -> Result<Vec<Repository>, Error> {
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let what = "list the repositories with charts";
        let rows = self.query(what, REPOSITORIES, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }
}
