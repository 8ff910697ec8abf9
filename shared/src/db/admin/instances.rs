//! Discovery instances and their health, for the admin pages and the API.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::list::{ListQuery, Listed, PageRequest};
use crate::db::{Database, Error};

/// A row of `discovery_instances`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DiscoveryInstance {
    /// The name in its configuration.
    pub name: String,
    /// `oci` or `ecr`; null before its first run.
    #[schema(required)]
    pub provider: Option<String>,
    /// The registry's address, or the region.
    #[schema(required)]
    pub source: Option<String>,
    /// The number of its transactions that changed rows.
    pub generation: i64,
    /// The time when it last started.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_started_at: Option<OffsetDateTime>,
    /// The time when it last read everything without an error.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_succeeded_at: Option<OffsetDateTime>,
    /// The error of the last run, or a warning.
    #[schema(required)]
    pub last_error: Option<String>,
    /// The answer of its last invocation.
    #[schema(required)]
    pub last_summary: Option<Value>,
    /// The places where interrupted backfills resume.
    #[schema(required)]
    pub progress: Option<Value>,
    /// The configuration of its last invocation.
    #[schema(required)]
    pub configuration: Option<Value>,
    /// The Lambda function that is invoked for it.
    #[schema(required)]
    pub function_name: Option<String>,
    /// The time when it last handled an ECR event about a chart; null for a polled registry.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_event_at: Option<OffsetDateTime>,
    /// The time when a webhook last named something of it, to the minute; null if none ever did.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_hint_at: Option<OffsetDateTime>,
}

const LIST: &str = "\
SELECT name, provider, source, generation, last_started_at, last_succeeded_at, last_error,
    last_summary, progress, configuration, function_name, last_event_at, last_hint_at
FROM discovery_instances
ORDER BY name
LIMIT $1 OFFSET $2";

const COUNT: &str = "SELECT count(*) FROM discovery_instances";

impl Database {
    /// Lists instances by name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_instances(
        &self,
        page: PageRequest,
    ) -> Result<Listed<DiscoveryInstance>, Error> {
        let query = ListQuery {
            what: "list the instances",
            select: LIST,
            count: COUNT,
            read: DiscoveryInstance::read,
        };
        self.list(query, &[], page).await
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
            last_hint_at: row.try_get("last_hint_at")?,
        })
    }
}
