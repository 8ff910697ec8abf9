//! Tag formats as people and programs see them, and how they are added and deleted.

use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use super::list::{Listed, PageRequest};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::TagPattern;

/// Charts let go of by a format that is being deleted, in one statement.
const PART: u16 = 5_000;

/// A row of `helm_tag_formats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HelmTagFormat {
    /// Never changes.
    pub id: Uuid,
    /// When it was added: formats are tried in this order, the oldest first.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The regular expression. No two have the same.
    pub pattern: String,
    /// How many charts have a tag that it took apart.
    pub charts: i64,
}

/// How far the charts are behind the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReparseProgress {
    /// Charts that were parsed with older formats, or not at all.
    pub behind: i64,
    /// All charts.
    pub charts: i64,
}

macro_rules! select {
    () => {
        "\
SELECT format.id, format.created_at, format.pattern,
    (SELECT count(*) FROM helm_charts AS chart WHERE chart.tag_format_id = format.id) AS charts
FROM helm_tag_formats AS format\n"
    };
}

const LIST: &str = concat!(select!(), "ORDER BY format.created_at, format.id\nLIMIT $1 OFFSET $2");

const COUNT: &str = "SELECT count(*) FROM helm_tag_formats";

const GET: &str = concat!(select!(), "WHERE format.id = $1");

const ADD: &str = "\
WITH added AS (INSERT INTO helm_tag_formats (pattern) VALUES ($1) RETURNING id, created_at, \
pattern), told AS (
    INSERT INTO admin_changes (user_name, object_type, object_id, after)
    SELECT $2, 'helm_tag_format', id, jsonb_build_object('pattern', pattern) FROM added
)
SELECT id, created_at, pattern, 0::bigint AS charts FROM added";

/// What is let go of is behind, so that it is parsed again whatever becomes of the rest.
const LET_GO: &str = "\
UPDATE helm_charts
SET tag_format_id = NULL, parsed_with = NULL
WHERE id IN (SELECT id FROM helm_charts WHERE tag_format_id = $1 LIMIT $2)
RETURNING NULL";

const DELETE: &str = "\
WITH deleted AS (DELETE FROM helm_tag_formats WHERE id = $1 RETURNING id, pattern)
INSERT INTO admin_changes (user_name, object_type, object_id, before)
SELECT $2, 'helm_tag_format', id, jsonb_build_object('pattern', pattern) FROM deleted
RETURNING true";

/// Counted only while there is something to count: that none is behind the index tells at once.
const PROGRESS: &str = "\
SELECT
    CASE
        WHEN (SELECT min(coalesce(parsed_with, 0)) FROM helm_charts) < version
        THEN (SELECT count(*) FROM helm_charts WHERE coalesce(parsed_with, 0) < version)
        ELSE 0
    END,
    (SELECT count(*) FROM helm_charts)
FROM helm_tag_formats_version";

impl Database {
    /// Tag formats in the order in which they are tried.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn list_tag_formats(
        &self,
        page: PageRequest,
    ) -> Result<Listed<HelmTagFormat>, Error> {
        self.list("list the tag formats", (LIST, COUNT), &[], page, HelmTagFormat::read).await
    }

    /// A tag format, if there is one of this id.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_tag_format(&self, id: Uuid) -> Result<Option<HelmTagFormat>, Error> {
        self.get("tell of the tag format", GET, &[(&id, Type::UUID)], HelmTagFormat::read).await
    }

    /// Adds a format behind the others, on behalf of somebody. The charts are behind it until they
    /// have been parsed again.
    ///
    /// # Errors
    /// When the database cannot be written; [`Error::is_taken`] when there is one of this pattern.
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

    /// Deletes a format on behalf of somebody, and gives what it was; nothing if there is none of
    /// this id. Its charts are let go of in parts, because there may be a million: when it fails
    /// half way it can be done again. They are behind the formats until they have been parsed
    /// again, whether the format is gone by then or not.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_tag_format(
        &self,
        by: &str,
        id: Uuid,
    ) -> Result<Option<HelmTagFormat>, Error> {
        let Some(format) = self.get_tag_format(id).await? else { return Ok(None) };
        let what = "delete the tag format";
        let let_go: Parameters<'_> = &[(&id, Type::UUID), (&i64::from(PART), Type::INT8)];
        // Somebody may be parsing meanwhile, and take some of them back: not more often than there
        // are parts.
        for _ in 0..=format.charts / i64::from(PART) {
            if self.query(what, LET_GO, let_go).await?.len() < usize::from(PART) {
                break;
            }
        }
        let deleted = self.query(what, DELETE, &[(&id, Type::UUID), (&by, Type::TEXT)]).await?;
        Ok((!deleted.is_empty()).then_some(format))
    }

    /// How far the charts are behind the formats.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn reparse_progress(&self) -> Result<ReparseProgress, Error> {
        let what = "tell how far the tags are parsed";
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
