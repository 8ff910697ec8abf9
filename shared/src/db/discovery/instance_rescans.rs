//! The place of an instance's rescan, in `discovery_instances.progress`.

use serde_json::Value;
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

const RESCAN: &str = "SELECT (progress->'rescan')::text FROM discovery_instances WHERE name = $1";

const SET_RESCAN: &str = "\
UPDATE discovery_instances
SET progress = CASE
        WHEN $2::text IS NULL THEN progress - 'rescan'
        ELSE coalesce(progress, '{}') || jsonb_build_object('rescan', $2::text::jsonb)
    END
WHERE name = $1";

impl Database {
    /// Returns the place of the rescan that is under way; `None` if there is none.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn instance_rescan(&self, instance: &str) -> Result<Option<Value>, Error> {
        let what = "read the place of the rescan";
        let rows = self.query(what, RESCAN, &[(&instance, Type::TEXT)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let place: Option<&str> = row.try_get(0).map_err(|source| Error::Query { what, source })?;
        Ok(place.and_then(|place| serde_json::from_str(place).ok()))
    }

    /// Writes the place of a rescan, or that the rescan is over. The instance must have a row.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_instance_rescan(
        &self,
        instance: &str,
        place: Option<&Value>,
    ) -> Result<(), Error> {
        let place = place.map(Value::to_string);
        let parameters: Parameters<'_> = &[(&instance, Type::TEXT), (&place, Type::TEXT)];
        self.query("write the place of the rescan", SET_RESCAN, parameters).await.map(drop)
    }
}
