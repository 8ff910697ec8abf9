//! Discovery instances and their health, as people and programs see them.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::list::{Listed, PageRequest};
use crate::db::{Database, Error};

/// A row of `discovery_instances`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DiscoveryInstance {
    /// What it is called in its configuration.
    pub name: String,
    /// `oci` or `ecr`; not known before it has run.
    #[schema(required)]
    pub provider: Option<String>,
    /// The registry's address, or the region.
    #[schema(required)]
    pub source: Option<String>,
    /// How many of its transactions have changed rows.
    pub generation: i64,
    /// When it last began.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_started_at: Option<OffsetDateTime>,
    /// When it was last right: everything read to its end, without an error.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_succeeded_at: Option<OffsetDateTime>,
    /// What went wrong the last time, or what somebody should know.
    #[schema(required)]
    pub last_error: Option<String>,
    /// What its last invocation answered.
    #[schema(required)]
    pub last_summary: Option<Value>,
    /// Where interrupted backfills go on.
    #[schema(required)]
    pub progress: Option<Value>,
    /// What it was last invoked with.
    #[schema(required)]
    pub configuration: Option<Value>,
    /// The Lambda function that is invoked for it.
    #[schema(required)]
    pub function_name: Option<String>,
    /// When an event of ECR about a chart was last handled; null for a registry that is polled.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_event_at: Option<OffsetDateTime>,
}

const LIST: &str = "\
SELECT name, provider, source, generation, last_started_at, last_succeeded_at, last_error, \
last_summary, progress,
    configuration, function_name, last_event_at
FROM discovery_instances
ORDER BY name
LIMIT $1 OFFSET $2";

const COUNT: &str = "SELECT count(*) FROM discovery_instances";

impl Database {
    /// Instances by name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_instances(
        &self,
        page: PageRequest,
    ) -> Result<Listed<DiscoveryInstance>, Error> {
        self.list("list the instances", (LIST, COUNT), &[], page, DiscoveryInstance::read).await
    }
}

impl DiscoveryInstance {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            provider: row.try_get("provider")?,
            source: row.try_get("source")?,
            generation: row.try_get("generation")?,
            last_started_at: row.try_get("last_started_at")?,
            last_succeeded_at: row.try_get("last_succeeded_at")?,
            last_error: row.try_get("last_error")?,
            last_summary: row.try_get("last_summary")?,
            progress: row.try_get("progress")?,
            configuration: row.try_get("configuration")?,
            function_name: row.try_get("function_name")?,
            last_event_at: row.try_get("last_event_at")?,
        })
    }
}
