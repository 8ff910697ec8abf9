//! The row of a discovery instance: its health, and the number by which a restored backup is
//! noticed.

use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::types::{ToSql, Type};

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// What an instance needs to know before it begins. One round trip.
#[derive(Debug, Clone, Copy)]
pub struct InstanceState {
    /// The database's clock.
    pub now: OffsetDateTime,
    /// How many transactions of the instance have changed rows. Smaller than it was: an older
    /// backup was restored.
    pub generation: i64,
}

/// Where interrupted backfills go on: `discovery_instances.progress`, by what they go over.
const PROGRESS: &str = "\
SELECT clock_timestamp(), (SELECT (progress->$2)::text FROM discovery_instances WHERE name = $1)";

const SET_PROGRESS: &str = "\
INSERT INTO discovery_instances AS instance (name, provider, source, progress)
VALUES ($1, $2, $3, jsonb_build_object($4, $5::text::jsonb))
ON CONFLICT (name) DO UPDATE
SET progress = coalesce(instance.progress, '{}') || excluded.progress";

/// An instance as an invocation finds it.
#[derive(Debug, Clone, Copy)]
pub struct Introduction<'a> {
    /// The instance's name.
    pub name: &'a str,
    /// `oci` or `ecr`.
    pub provider: &'a str,
    /// The registry's address, or the region.
    pub source: &'a str,
    /// What it is invoked with. No secret is in it.
    pub configuration: &'a Value,
    /// The Lambda function that is invoked.
    pub function: &'a str,
}

/// How an invocation went.
#[derive(Debug)]
pub struct Health<'a> {
    /// The instance's name.
    pub name: &'a str,
    /// `oci` or `ecr`.
    pub provider: &'a str,
    /// The registry's address, or the region.
    pub source: &'a str,
    /// When the invocation began, by the database's clock.
    pub started_at: OffsetDateTime,
    /// Whether the whole registry was read without an error.
    pub succeeded: bool,
    /// What went wrong, or what somebody should know.
    pub error: Option<&'a str>,
    /// What the invocation answers; without one the last is kept.
    pub summary: Option<&'a Value>,
}

const STATE: &str = "\
SELECT clock_timestamp(), coalesce((SELECT generation FROM discovery_instances WHERE name = $1), \
0)";

/// Written only if it is new: a statement that changes nothing must not lock the row either.
const INTRODUCE: &str = "\
WITH told (name, provider, source, configuration, function_name) AS (
    VALUES ($1::text, $2::text, $3::text, $4::text::jsonb, $5::text)
), written AS (
    INSERT INTO discovery_instances (name, provider, source, configuration, function_name)
    SELECT told.name, told.provider, told.source, told.configuration, told.function_name
    FROM told
    WHERE NOT EXISTS (
        SELECT FROM discovery_instances AS known
        WHERE known.name = told.name
            AND (known.provider, known.source, known.configuration, known.function_name)
                IS NOT DISTINCT FROM (told.provider, told.source, told.configuration, \
                told.function_name)
    )
    ON CONFLICT (name) DO UPDATE
    SET provider = excluded.provider,
        source = excluded.source,
        configuration = excluded.configuration,
        function_name = excluded.function_name
)
SELECT clock_timestamp()";

const NOTE_EVENT: &str = "\
INSERT INTO discovery_instances (name, provider, source, configuration, function_name, \
last_event_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5, clock_timestamp())
ON CONFLICT (name) DO UPDATE
SET provider = excluded.provider,
    source = excluded.source,
    configuration = excluded.configuration,
    function_name = excluded.function_name,
    last_event_at = excluded.last_event_at";

const RECORD: &str = "\
INSERT INTO discovery_instances AS instance
    (name, provider, source, last_started_at, last_succeeded_at, last_error, last_summary)
VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN clock_timestamp() END, $6, $7::text::jsonb)
ON CONFLICT (name) DO UPDATE
SET provider = excluded.provider,
    source = excluded.source,
    last_started_at = excluded.last_started_at,
    last_succeeded_at = coalesce(excluded.last_succeeded_at, instance.last_succeeded_at),
    last_error = excluded.last_error,
    last_summary = coalesce(excluded.last_summary, instance.last_summary)";

impl Database {
    /// Begins an invocation: the clock is told, and what the instance is like is written if that is
    /// new. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn introduce_instance(
        &self,
        instance: &Introduction<'_>,
    ) -> Result<OffsetDateTime, Error> {
        let what = "take note of the instance";
        let configuration = clean(&instance.configuration.to_string());
        let rows = self.query(what, INTRODUCE, &instance.parameters(&configuration)).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        row.try_get(0).map_err(|source| Error::Query { what, source })
    }

    /// Takes note of an event that came for the instance just now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_event(&self, instance: &Introduction<'_>) -> Result<(), Error> {
        let configuration = clean(&instance.configuration.to_string());
        let parameters = instance.parameters(&configuration);
        self.query("take note of an event", NOTE_EVENT, &parameters).await.map(|_| ())
    }

    /// The clock and the instance's generation.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn instance_state(&self, name: &str) -> Result<InstanceState, Error> {
        let what = "tell how far the instance is";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, STATE, &[(&name, Type::TEXT)]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        Ok(InstanceState {
            now: row.try_get(0).map_err(unreadable)?,
            generation: row.try_get(1).map_err(unreadable)?,
        })
    }

    /// The clock, and what [`Database::set_progress`] wrote last of a backfill. `scope` tells it
    /// from others.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn progress(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<(OffsetDateTime, Option<Value>), Error> {
        let what = "tell how far the backfill is";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, PROGRESS, &[(&name, Type::TEXT), (&scope, Type::TEXT)]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        let progress: Option<&str> = row.try_get(1).map_err(unreadable)?;
        let progress = progress.and_then(|progress| serde_json::from_str(progress).ok());
        Ok((row.try_get(0).map_err(unreadable)?, progress))
    }

    /// Remembers how far a backfill is. `source` is the instance's region.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_progress(
        &self,
        name: &str,
        source: &str,
        scope: &str,
        progress: &Value,
    ) -> Result<(), Error> {
        let progress = progress.to_string();
        let parameters: Parameters<'_> = &[
            (&name, Type::TEXT),
            (&"ecr", Type::TEXT),
            (&source, Type::TEXT),
            (&scope, Type::TEXT),
            (&progress, Type::TEXT),
        ];
        self.query("remember how far the backfill is", SET_PROGRESS, parameters).await.map(|_| ())
    }

    /// Writes how an invocation went: what the admin pages show as the instance's health.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn record_health(&self, health: &Health<'_>) -> Result<(), Error> {
        let error = health.error.map(clean);
        let summary = health.summary.map(|summary| clean(&summary.to_string()));
        let parameters: Parameters<'_> = &[
            (&health.name, Type::TEXT),
            (&health.provider, Type::TEXT),
            (&health.source, Type::TEXT),
            (&health.started_at, Type::TIMESTAMPTZ),
            (&health.succeeded, Type::BOOL),
            (&error, Type::TEXT),
            (&summary, Type::TEXT),
        ];
        self.query("write the instance's health", RECORD, parameters).await.map(|_| ())
    }
}

impl<'a> Introduction<'a> {
    fn parameters<'b>(&'b self, configuration: &'b String) -> [(&'b (dyn ToSql + Sync), Type); 5]
    where
        'a: 'b,
    {
        [
            (&self.name, Type::TEXT),
            (&self.provider, Type::TEXT),
            (&self.source, Type::TEXT),
            (configuration, Type::TEXT),
            (&self.function, Type::TEXT),
        ]
    }
}

/// Without NUL, which jsonb and text refuse; messages of others may hold one.
fn clean(text: &str) -> String {
    text.replace('\0', "").replace("\\u0000", "")
}
