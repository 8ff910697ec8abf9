//! The row of a discovery instance: its health, its backfills, and its generation, which reveals a
//! restored backup.

use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::types::{ToSql, Type};

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// The facts that an instance needs before it starts.
#[derive(Debug, Clone, Copy)]
pub struct InstanceState {
    /// The time of the database's clock.
    pub now: OffsetDateTime,
    /// The number of the instance's transactions that changed rows. If it is smaller than before,
    /// an older backup was restored.
    pub generation: i64,
}

/// `discovery_instances.progress` has one entry per scope: the place where its backfill resumes.
const PROGRESS: &str = "\
SELECT clock_timestamp(), (SELECT (progress->$2)::text FROM discovery_instances WHERE name = $1)";

const SET_PROGRESS: &str = "\
INSERT INTO discovery_instances AS instance (name, provider, source, progress)
VALUES ($1, $2, $3, jsonb_build_object($4, $5::text::jsonb))
ON CONFLICT (name) DO UPDATE
SET progress = coalesce(instance.progress, '{}') || excluded.progress";

/// An instance as its invocation describes it.
#[derive(Debug, Clone, Copy)]
pub struct Introduction<'a> {
    /// The instance's name.
    pub name: &'a str,
    /// `oci` or `ecr`.
    pub provider: &'a str,
    /// The registry's address, or the region.
    pub source: &'a str,
    /// The configuration of the invocation. It contains no secret.
    pub configuration: &'a Value,
    /// The name of the Lambda function.
    pub function: &'a str,
}

/// The beginning of an invocation.
#[derive(Debug, Clone, Copy)]
pub struct Introduced {
    /// The time of the database's clock.
    pub now: OffsetDateTime,
    /// Whether the description was written: it has changed, or an hour has passed.
    pub is_written: bool,
}

/// How an event of ECR arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// At one of its first deliveries.
    InTime,
    /// So late that SQS may have given up other events.
    Late,
}

/// The result of an invocation.
#[derive(Debug)]
pub struct Health<'a> {
    /// The instance's name.
    pub name: &'a str,
    /// `oci` or `ecr`.
    pub provider: &'a str,
    /// The registry's address, or the region.
    pub source: &'a str,
    /// The time of the database's clock when the invocation started.
    pub started_at: OffsetDateTime,
    /// Whether the invocation read the whole registry without an error.
    pub succeeded: bool,
    /// An error or a warning.
    pub error: Option<&'a str>,
    /// The answer of the invocation; `None` keeps the last one.
    pub summary: Option<&'a Value>,
}

const STATE: &str = "\
SELECT clock_timestamp(),
    coalesce((SELECT generation FROM discovery_instances WHERE name = $1), 0)";

/// Skips the INSERT if nothing changed, because even an upsert without changes locks the row. But
/// writes once an hour that the instance still starts. A stamp in the future tells nothing.
///
/// With another configuration, the instance may see other repositories. After a day without a
/// start, other instances may have ended its rows, so that its cursor must count as behind.
const INTRODUCE: &str = "\
WITH given (name, provider, source, configuration, function_name) AS (
    VALUES ($1::text, $2::text, $3::text, $4::text::jsonb, $5::text)
), written AS (
    INSERT INTO discovery_instances AS instance
        (name, provider, source, configuration, function_name)
    SELECT given.name, given.provider, given.source, given.configuration, given.function_name
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM discovery_instances AS known
        WHERE known.name = given.name
            AND (known.provider, known.source, known.configuration, known.function_name)
                IS NOT DISTINCT FROM
                (given.provider, given.source, given.configuration, given.function_name)
            AND known.last_invoked_at > clock_timestamp() - interval '1 hour'
            AND known.last_invoked_at <= clock_timestamp()
    )
    ON CONFLICT (name) DO UPDATE
    SET provider = excluded.provider,
        source = excluded.source,
        configuration = excluded.configuration,
        function_name = excluded.function_name,
        last_invoked_at = excluded.last_invoked_at,
        generation = instance.generation
            + (instance.last_invoked_at < clock_timestamp() - interval '1 day')::integer,
        has_seen_all = instance.has_seen_all
            AND (instance.source, instance.configuration)
                IS NOT DISTINCT FROM (excluded.source, excluded.configuration),
        former_domains = (
            SELECT CASE WHEN former.name <> current.name
                THEN array_remove(array_remove(instance.former_domains, former.name), current.name)
                    || former.name
                ELSE instance.former_domains END
            FROM coalesce(instance.configuration #>> '{oci,domain}', instance.source, '')
                    AS former (name),
                coalesce(excluded.configuration #>> '{oci,domain}', excluded.source, '')
                    AS current (name)
        )
    RETURNING instance.name
)
SELECT clock_timestamp(), EXISTS (SELECT FROM written)";

const NOTE_EVENT: &str = "\
INSERT INTO discovery_instances AS instance
    (name, provider, source, configuration, function_name, last_event_at, events_lost_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5, clock_timestamp(), CASE WHEN $6 THEN clock_timestamp() END)
ON CONFLICT (name) DO UPDATE
SET provider = excluded.provider,
    source = excluded.source,
    configuration = excluded.configuration,
    function_name = excluded.function_name,
    last_event_at = excluded.last_event_at,
    events_lost_at = coalesce(excluded.events_lost_at, instance.events_lost_at)";

/// SQS gives a message up after half an hour. A shorter gap between two schedules loses none.
const ASK_REPAIR: &str = "\
UPDATE discovery_instances
SET repair_asked_at = clock_timestamp(),
    events_lost_at = CASE
        WHEN repair_asked_at < clock_timestamp() - interval '25 minutes' THEN clock_timestamp()
        ELSE events_lost_at
    END
WHERE name = $1
RETURNING CASE WHEN events_lost_at <= clock_timestamp() THEN events_lost_at END";

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
    /// Starts an invocation: writes the description of the instance if it is new, and once an hour
    /// that the instance still starts. Remembers the name of its registry before a change of it.
    /// Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn introduce_instance(
        &self,
        instance: &Introduction<'_>,
    ) -> Result<Introduced, Error> {
        let what = "write the description of the instance";
        let configuration = clean(&instance.configuration.to_string());
        let rows = self.query(what, INTRODUCE, &instance.parameters(&configuration)).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        let unreadable = |source| Error::Query { what, source };
        Ok(Introduced {
            now: row.try_get(0).map_err(unreadable)?,
            is_written: row.try_get(1).map_err(unreadable)?,
        })
    }

    /// Writes that an event for the instance arrived just now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_event(
        &self,
        instance: &Introduction<'_>,
        arrival: Arrival,
    ) -> Result<(), Error> {
        let configuration = clean(&instance.configuration.to_string());
        let is_late = arrival == Arrival::Late;
        let [name, provider, source, given, function] = instance.parameters(&configuration);
        let parameters: Parameters<'_> =
            &[name, provider, source, given, function, (&is_late, Type::BOOL)];
        self.query("write the time of an event", NOTE_EVENT, parameters).await.map(|_| ())
    }

    /// Writes that a repair of the instance may start now. Returns when a sign was last seen that
    /// events may be lost. A gap of 25 minutes since the last call is such a sign: the function or
    /// the database was away, and meanwhile SQS gave messages up.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn ask_repair(&self, name: &str) -> Result<Option<OffsetDateTime>, Error> {
        let what = "ask for a repair";
        let rows = self.query(what, ASK_REPAIR, &[(&name, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        row.try_get(0).map_err(|source| Error::Query { what, source })
    }

    /// Returns the time of the database's clock and the instance's generation, in one round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn instance_state(&self, name: &str) -> Result<InstanceState, Error> {
        let what = "read the state of the instance";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, STATE, &[(&name, Type::TEXT)]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        Ok(InstanceState {
            now: row.try_get(0).map_err(unreadable)?,
            generation: row.try_get(1).map_err(unreadable)?,
        })
    }

    /// Returns the time of the database's clock, and the progress that [`Database::set_progress`]
    /// wrote last for this scope.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn progress(
        &self,
        name: &str,
        scope: &str,
    ) -> Result<(OffsetDateTime, Option<Value>), Error> {
        let what = "read the progress of the backfill";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, PROGRESS, &[(&name, Type::TEXT), (&scope, Type::TEXT)]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        let progress: Option<&str> = row.try_get(1).map_err(unreadable)?;
        let progress = progress.and_then(|progress| serde_json::from_str(progress).ok());
        Ok((row.try_get(0).map_err(unreadable)?, progress))
    }

    /// Writes the progress of a backfill. `source` is the instance's region. `scope` names what the
    /// backfill walks over.
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
        self.query("write the progress of the backfill", SET_PROGRESS, parameters).await.map(|_| ())
    }

    /// Writes the result of an invocation. The admin pages show it as the instance's health.
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

/// Removes NUL, because jsonb and text refuse it and messages of other programs may contain it.
fn clean(text: &str) -> String {
    text.replace('\0', "").replace("\\u0000", "")
}
