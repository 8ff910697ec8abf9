//! Tag formats for the admin pages and the API: listed, added and deleted.

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use super::list::{ListQuery, Listed, PageRequest};
use crate::db::connection::Parameters;
use crate::db::{Database, Error, Layout};
use crate::domain::TagPattern;

/// Charts that one statement detaches from a format that is being deleted.
const PART: u16 = 5_000;

/// A row of `helm_tag_formats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HelmTagFormat {
    /// The row's id. It never changes.
    pub id: Uuid,
    /// The time when it was added. The oldest is tried first, in a database of Platz's the newest.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The regular expression. It is unique.
    pub pattern: String,
    /// The number of charts whose tag it parsed.
    pub charts: i64,
}

/// The progress of parsing tags again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReparseProgress {
    /// The number of charts that are behind.
    pub behind: i64,
    /// The number of all charts.
    pub charts: i64,
}

/// What became of a request to delete a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagFormatDeletion {
    /// It was deleted.
    Deleted(HelmTagFormat),
    /// It stays, because charts of Platz's refer to it.
    InUse {
        /// How many charts do.
        charts: i64,
    },
    /// No format has this id.
    NotFound,
}

macro_rules! select {
    () => {
        "\
SELECT format.id, format.created_at, format.pattern,
    (SELECT count(*) FROM helm_charts AS chart WHERE chart.tag_format_id = format.id) AS charts
FROM ordered_tag_formats() AS format\n"
    };
}

const LIST: &str = concat!(select!(), "ORDER BY format.place\nLIMIT $1 OFFSET $2");

const COUNT: &str = "SELECT count(*) FROM helm_tag_formats";

const GET: &str = concat!(select!(), "WHERE format.id = $1");

const ADD: &str = "\
WITH added AS (
    INSERT INTO helm_tag_formats (pattern) VALUES ($1) RETURNING id, created_at, pattern
), audit AS (
    INSERT INTO admin_changes (user_name, object_type, object_id, after)
    SELECT $2, 'helm_tag_format', id, jsonb_build_object('pattern', pattern) FROM added
)
SELECT id, created_at, pattern, 0::bigint AS charts FROM added";

/// Marks the detached charts as behind, so that they are parsed again even if the rest fails.
const DETACH_CHARTS: &str = "\
WITH detached AS (
    UPDATE helm_charts
    SET tag_format_id = NULL
    WHERE id IN (SELECT id FROM helm_charts WHERE tag_format_id = $1 LIMIT $2)
    RETURNING id
)
INSERT INTO helm_chart_details (chart_id)
SELECT id FROM detached
ON CONFLICT (chart_id) DO UPDATE
SET parsed_with = 0
RETURNING NULL";

const DELETE: &str = "\
WITH deleted AS (
    DELETE FROM helm_tag_formats WHERE id = $1 RETURNING id, pattern
)
INSERT INTO admin_changes (user_name, object_type, object_id, before)
SELECT $2, 'helm_tag_format', id, jsonb_build_object('pattern', pattern) FROM deleted
RETURNING true";

/// Counts only if a chart is behind. An index answers that question at once.
const PROGRESS: &str = "\
SELECT
    CASE
        WHEN (SELECT min(parsed_with) FROM helm_chart_details) < version
        THEN (SELECT count(*) FROM helm_chart_details WHERE parsed_with < version)
        ELSE 0
    END,
    (SELECT count(*) FROM helm_charts)
FROM helm_tag_formats_version";

impl Database {
    /// Lists tag formats in the order in which they are tried.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_tag_formats(
        &self,
        page: PageRequest,
    ) -> Result<Listed<HelmTagFormat>, Error> {
        let query = ListQuery {
            what: "list the tag formats",
            select: LIST,
            count: COUNT,
            read: HelmTagFormat::read,
        };
        self.list(query, &[], page).await
    }

    /// Returns the tag format with an id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_tag_format(&self, id: Uuid) -> Result<Option<HelmTagFormat>, Error> {
        self.get("read the tag format", GET, &[(&id, Type::UUID)], HelmTagFormat::read).await
    }

    /// Adds a format after the others, and records the user. All charts are behind until they have
    /// been parsed again.
    ///
    /// # Errors
    /// When the database cannot be written; [`Error::is_taken`] if a format has this pattern
    /// already.
    pub async fn add_tag_format(
        &self,
        by: &str,
        pattern: &TagPattern,
    ) -> Result<HelmTagFormat, Error> {
        let what = "add the tag format";
        let rows = self
            .query_once(what, ADD, &[(&pattern.as_str(), Type::TEXT), (&by, Type::TEXT)])
            .await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        HelmTagFormat::read(row).map_err(|source| Error::Query { what, source })
    }

    /// Deletes a format, and records the user.
    ///
    /// First detaches the format's charts in parts, because there may be a million of them. They
    /// are behind until they have been parsed again. If this fails half way, the caller can repeat
    /// it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_tag_format(&self, by: &str, id: Uuid) -> Result<TagFormatDeletion, Error> {
        let Some(format) = self.get_tag_format(id).await? else {
            return Ok(TagFormatDeletion::NotFound);
        };
        let what = "delete the tag format";
        // A row of Platz's keeps the format that it was parsed with.
        if format.charts > 0 && self.layout().await? == Layout::Platz {
            return Ok(TagFormatDeletion::InUse { charts: format.charts });
        }
        let some_charts: Parameters<'_> = &[(&id, Type::UUID), (&i64::from(PART), Type::INT8)];
        // A concurrent parser may attach charts again, so the number of parts bounds the loop.
        for _ in 0..=format.charts / i64::from(PART) {
            if self.query(what, DETACH_CHARTS, some_charts).await?.len() < usize::from(PART) {
                break;
            }
        }
        let deleted = self.query(what, DELETE, &[(&id, Type::UUID), (&by, Type::TEXT)]).await?;
        Ok(if deleted.is_empty() {
            TagFormatDeletion::NotFound
        } else {
            TagFormatDeletion::Deleted(format)
        })
    }

    /// Counts the charts that are behind.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn reparse_progress(&self) -> Result<ReparseProgress, Error> {
        let what = "count the charts that are behind";
        let read =
            |row: &Row| Ok(ReparseProgress { behind: row.try_get(0)?, charts: row.try_get(1)? });
        self.get(what, PROGRESS, &[], read).await?.ok_or(Error::NoRow { what })
    }
}

impl HelmTagFormat {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            created_at: row.try_get("created_at")?,
            pattern: row.try_get("pattern")?,
            charts: row.try_get("charts")?,
        })
    }
}
