//! Tag formats, and the charts that are behind them until their tags are parsed again.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, try_join};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use tracing::warn;

use super::parsed_tags::{ParsedTags, lock_formats};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{TagFormat, TagFormats, TagPattern};

/// Attempts at a transaction that met a deadlock or a dead connection.
const ATTEMPTS: u32 = 4;

/// A summary of the tag formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagFormatsState {
    /// The number of formats, usable or not.
    pub formats: u64,
    /// Whether a chart is behind.
    pub is_any_behind: bool,
}

/// A chart that was parsed with older formats, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The row's id, as text.
    pub id: String,
    /// The version of the formats that parsed its tag; 0 if none did.
    pub parsed_with: i64,
    /// The tag.
    pub tag: String,
}

/// The result of parsing the tags of some charts again.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Reparsed {
    /// The number of charts that are no longer behind.
    pub written: u64,
    /// The number of those whose parsed columns changed.
    pub changed: u64,
}

/// The index on `parsed_with` answers `min` at once.
const STATE: &str = "\
SELECT (SELECT count(*) FROM helm_tag_formats),
    coalesce((SELECT min(coalesce(parsed_with, 0)) FROM helm_charts) < version, false)
FROM helm_tag_formats_version";

/// Reads version and formats in one statement, so that they belong together.
const FORMATS: &str = "\
SELECT formats.version, format.id::text, format.pattern
FROM helm_tag_formats_version AS formats
LEFT JOIN helm_tag_formats AS format ON true
ORDER BY format.created_at, format.id";

/// Continues after `$2` and `$3`, in the order of the index.
const BEHIND: &str = "\
SELECT chart.id::text, coalesce(chart.parsed_with, 0), chart.image_tag
FROM helm_charts AS chart
WHERE coalesce(chart.parsed_with, 0) < $1
    AND (coalesce(chart.parsed_with, 0), chart.id) > ($2, $3::text::uuid)
ORDER BY coalesce(chart.parsed_with, 0), chart.id
LIMIT $4";

/// A row whose tag matches no format takes version, branch and commit from the chart itself, as
/// they are at this moment. A row that was parsed with newer formats meanwhile stays as it is. A
/// format that was deleted meanwhile becomes NULL; its rows are behind again.
const REPARSE: &str = "\
UPDATE helm_charts AS chart
SET tag_format_id = parsed.tag_format_id,
    parsed_version = CASE WHEN parsed.has_format THEN parsed.version ELSE chart.chart_version END,
    parsed_revision = parsed.revision,
    parsed_branch = CASE WHEN parsed.has_format THEN parsed.branch ELSE chart.git_branch END,
    parsed_commit = CASE WHEN parsed.has_format THEN parsed.commit ELSE chart.git_commit END,
    parsed_with = $1
FROM (
    SELECT tag.*, tag.format_id IS NOT NULL AS has_format, format.id AS tag_format_id,
        old.tag_format_id AS old_format_id, old.parsed_version AS old_version,
        old.parsed_revision AS old_revision, old.parsed_branch AS old_branch,
        old.parsed_commit AS old_commit
    FROM unnest(
        $2::text[]::uuid[], $3::text[]::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]
    ) AS tag (id, format_id, version, revision, branch, commit)
    JOIN helm_charts AS old ON old.id = tag.id
    LEFT JOIN helm_tag_formats AS format ON format.id = tag.format_id
) AS parsed
WHERE chart.id = parsed.id AND coalesce(chart.parsed_with, 0) < $1
RETURNING (
    chart.tag_format_id, chart.parsed_version, chart.parsed_revision, chart.parsed_branch,
    chart.parsed_commit
) IS DISTINCT FROM (
    parsed.old_format_id, parsed.old_version, parsed.old_revision, parsed.old_branch,
    parsed.old_commit
)";

const TAGS: &str = "SELECT DISTINCT image_tag FROM helm_charts";

impl Database {
    /// Returns a summary of the tag formats, in one round trip.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tag_formats_state(&self) -> Result<TagFormatsState, Error> {
        let what = "count the tag formats";
        let unreadable = |source| Error::Query { what, source };
        let rows = self.query(what, STATE, &[]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        let formats: i64 = row.try_get(0).map_err(unreadable)?;
        let is_any_behind = row.try_get(1).map_err(unreadable)?;
        Ok(TagFormatsState { formats: u64::try_from(formats).unwrap_or_default(), is_any_behind })
    }

    /// Returns the usable formats, and the version of their table. Logs a warning for each unusable
    /// format.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tag_formats(&self) -> Result<TagFormats, Error> {
        let what = "list the tag formats";
        let rows = self.query(what, FORMATS, &[]).await?;
        let unreadable = |source| Error::Query { what, source };
        let version = rows.first().ok_or(Error::NoRow { what })?.try_get(0).map_err(unreadable)?;
        let mut formats = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: Option<String> = row.try_get(1).map_err(unreadable)?;
            let pattern: Option<&str> = row.try_get(2).map_err(unreadable)?;
            let (Some(id), Some(text)) = (id, pattern) else { continue };
            match TagPattern::new(text) {
                Ok(pattern) => formats.push(TagFormat { id, pattern }),
                Err(error) => {
                    let shown: String = text.chars().take(100).collect();
                    warn!(tag_format = id, pattern = shown, "this tag format is skipped: {error}");
                }
            }
        }
        Ok(TagFormats::new(version, formats))
    }

    /// Lists charts that are behind this version of the formats, in the order of the index. Starts
    /// after the chart `after`.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn behind(
        &self,
        version: i64,
        after: Option<&Behind>,
        limit: i64,
    ) -> Result<Vec<Behind>, Error> {
        let what = "list the charts that are behind";
        let lowest_id = "00000000-0000-0000-0000-000000000000";
        let after = after.map_or((-1, lowest_id), |chart| (chart.parsed_with, chart.id.as_str()));
        let parameters: Parameters<'_> = &[
            (&version, Type::INT8),
            (&after.0, Type::INT8),
            (&after.1, Type::TEXT),
            (&limit, Type::INT8),
        ];
        let rows = self.query(what, BEHIND, parameters).await?;
        let read = |row: &Row| {
            Ok(Behind { id: row.try_get(0)?, parsed_with: row.try_get(1)?, tag: row.try_get(2)? })
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|source| Error::Query { what, source })
    }

    /// Parses the tags of charts, and writes the parsed columns. A caller may repeat this, and
    /// others may do the same at the same time.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reparse(
        &self,
        formats: &TagFormats,
        charts: &[Behind],
    ) -> Result<Reparsed, Error> {
        let what = "write the parsed tags";
        let mut tags = ParsedTags::default();
        for chart in charts {
            tags.push(&chart.tag, Some(formats));
        }
        let ids: Vec<&str> = charts.iter().map(|chart| chart.id.as_str()).collect();
        let parameters: Parameters<'_> = &[
            (&formats.version, Type::INT8),
            (&ids, Type::TEXT_ARRAY),
            (&tags.format_ids, Type::TEXT_ARRAY),
            (&tags.versions, Type::TEXT_ARRAY),
            (&tags.revisions, Type::TEXT_ARRAY),
            (&tags.branches, Type::TEXT_ARRAY),
            (&tags.commits, Type::TEXT_ARRAY),
        ];
        let write = async |client: &mut Client| {
            // All statements are sent together. After an error COMMIT rolls back.
            let client = &*client;
            let ((), (), rows, ()) = try_join!(
                client.batch_execute("BEGIN"),
                lock_formats(client, &tags),
                client.query_typed(REPARSE, parameters),
                client.batch_execute("COMMIT"),
            )?;
            Ok(rows)
        };
        let mut attempt = 1;
        loop {
            match self.run(what, write).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
                Ok(rows) => {
                    let is_changed =
                        |row: &&Row| row.try_get::<_, bool>(0).is_ok_and(|is_changed| is_changed);
                    let changed = rows.iter().filter(is_changed).count() as u64;
                    return Ok(Reparsed { written: rows.len() as u64, changed });
                }
            }
        }
    }

    /// Calls `take` once for every tag that a chart has, in any order.
    ///
    /// # Errors
    /// When the database cannot be asked, or does not answer within `time`.
    pub async fn for_each_tag(
        &self,
        time: Duration,
        mut take: impl FnMut(&str),
    ) -> Result<(), Error> {
        let what = "list the tags";
        let held = self.take_connection().await?;
        let read = async {
            let none: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 0] = [];
            let mut rows = pin!(held.client().query_typed_raw(TAGS, none).await?);
            while let Some(row) = rows.next().await {
                take(row?.try_get(0)?);
            }
            Ok(())
        };
        let answer = timeout(time, read).await;
        held.give_back(what, time, answer)
    }
}
