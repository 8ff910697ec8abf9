//! What a hint needs to know before the registry is asked: the configuration of its instance, and
//! whether its repository is known. And the time of an instance's last hint.

use std::collections::HashMap;

use serde_json::Value;
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository};

const CONFIGURATIONS: &str = "\
SELECT name, configuration::text
FROM discovery_instances
WHERE name = ANY ($1) AND provider = 'oci' AND configuration IS NOT NULL";

/// Writes at most once a minute, and never waits for a row, because many batches name one instance.
const NOTE_HINTS: &str = "\
UPDATE discovery_instances
SET last_hint_at = clock_timestamp()
WHERE ctid = ANY (
    ARRAY(
        SELECT ctid
        FROM discovery_instances
        WHERE name = ANY ($1)
            AND (last_hint_at IS NULL OR last_hint_at NOT BETWEEN
                clock_timestamp() - interval '1 minute' AND clock_timestamp())
        FOR UPDATE SKIP LOCKED
    )
)";

/// An adopted database has charts without observations.
const KNOWS: &str = "\
SELECT
    EXISTS (
        SELECT
        FROM observations
        WHERE registry_host = $1
            AND repo_name = $2
            AND digest IS NOT NULL
            AND strpos(reference, ':') = 0
    )
    OR EXISTS (
        SELECT
        FROM helm_registries AS registry
        JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
        WHERE registry_host(registry.domain_name) = $1
            AND registry.repo_name = $2
            AND chart.available
    )";

impl Database {
    /// Returns what the polled instances of these names were last invoked with, by name. An
    /// instance that was never polled is left out.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn oci_configurations(
        &self,
        names: &[&str],
    ) -> Result<HashMap<String, Value>, Error> {
        let what = "read the configurations of the instances";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, CONFIGURATIONS, &[(&names, Type::TEXT_ARRAY)]).await?;
        let mut configurations = HashMap::new();
        for row in &rows {
            let name = row.try_get(0).map_err(unreadable)?;
            let configuration: &str = row.try_get(1).map_err(unreadable)?;
            // The database has it as jsonb, so that it is JSON.
            let configuration = serde_json::from_str(configuration).unwrap_or_default();
            configurations.insert(name, configuration);
        }
        Ok(configurations)
    }

    /// Notes that hints for instances came just now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_hints(&self, instances: &[&str]) -> Result<(), Error> {
        let parameters: Parameters<'_> = &[(&instances, Type::TEXT_ARRAY)];
        self.query("write the time of the last hint", NOTE_HINTS, parameters).await.map(drop)
    }

    /// Returns whether a repository has a tag that resolved to a manifest at its last look, or an
    /// available chart.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn knows_repository(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<bool, Error> {
        let what = "look for the repository";
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&repository.as_str(), Type::TEXT)];
        let rows = self.query(what, KNOWS, parameters).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        row.try_get(0).map_err(|source| Error::Query { what, source })
    }
}
