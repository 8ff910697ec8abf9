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
    /// Whether a chart is behind. Also true when rows written by hand were not looked for within
    /// the last hour, because such a row may be behind.
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

/// The smallest version, which the index gives at once. A row that was written by hand has none.
/// The search for those reads both tables whole, so that it is due once an hour. After the clock
/// was set back it is due at once.
const STATE: &str = "\
SELECT (SELECT count(*) FROM helm_tag_formats),
    coalesce((SELECT min(parsed_with) FROM helm_chart_details) < version, false)
    OR tidied_at NOT BETWEEN now() - interval '1 hour' AND now()
FROM helm_tag_formats_version";

/// Reads version and formats in one statement, so that they belong together.
const FORMATS: &str = "\
SELECT formats.version, format.id::text, format.pattern
FROM helm_tag_formats_version AS formats
LEFT JOIN ordered_tag_formats() AS format ON true
ORDER BY format.place";

/// A row that was written by hand is behind, and a row that was deleted by hand is not.
const TIDY: &str = "\
WITH gone AS (
    DELETE FROM helm_chart_details AS detail
    WHERE NOT EXISTS (SELECT FROM helm_charts AS chart WHERE chart.id = detail.chart_id)
), noted AS (
    UPDATE helm_tag_formats_version SET tidied_at = now()
)
INSERT INTO helm_chart_details (chart_id)
SELECT chart.id
FROM helm_charts AS chart
WHERE NOT EXISTS (SELECT FROM helm_chart_details AS detail WHERE detail.chart_id = chart.id)
ON CONFLICT (chart_id) DO NOTHING";

/// Continues after `$2` and `$3`, in the order of the index.
const BEHIND: &str = "\
SELECT detail.chart_id::text, detail.parsed_with, chart.image_tag
FROM helm_chart_details AS detail
JOIN helm_charts AS chart ON chart.id = detail.chart_id
WHERE detail.parsed_with < $1
    AND (detail.parsed_with, detail.chart_id) > ($2, $3::text::uuid)
ORDER BY detail.parsed_with, detail.chart_id
LIMIT $4";

/// A row that another run brought to newer formats is left alone. The rows stay locked, so that no
/// refresh of their contents comes between this statement and the next.
const NOTE_PARSED: &str = "\
UPDATE helm_chart_details AS detail
SET parsed_with = $1
FROM unnest($2::text[]::uuid[]) AS parsed (id)
WHERE detail.chart_id = parsed.id AND detail.parsed_with < $1";

/// Writes only rows that differ, because Platz tells every open page of every written row. A format
/// that was deleted meanwhile is none: its rows are behind again. What Platz wrote stands in for
/// the contents of a chart that discovery has not read.
const REPARSE: &str = "\
UPDATE helm_charts AS chart
SET tag_format_id = tag.tag_format_id, parsed_version = tag.parsed_version,
    parsed_revision = tag.parsed_revision, parsed_branch = tag.parsed_branch,
    parsed_commit = tag.parsed_commit
FROM unnest(
    $2::text[]::uuid[], $3::text[]::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]
) AS parsed (id, format_id, version, revision, branch, commit)
JOIN helm_charts AS old ON old.id = parsed.id
JOIN helm_chart_details AS detail ON detail.chart_id = old.id AND detail.parsed_with = $1
LEFT JOIN helm_chart_contents AS contents ON contents.digest = old.image_digest
LEFT JOIN helm_tag_formats AS format ON format.id = parsed.format_id
CROSS JOIN LATERAL (
    SELECT detail.adopted AND contents.digest IS NULL AS is_platz
) AS origin
CROSS JOIN LATERAL chart_tag_info(
    format.id, parsed.version, parsed.revision, parsed.branch, parsed.commit,
    CASE
        WHEN NOT origin.is_platz THEN contents.chart_version
        WHEN old.error IS NULL THEN coalesce(old.parsed_version, '')
    END,
    CASE
        WHEN NOT origin.is_platz THEN contents.git_branch
        WHEN old.tag_format_id IS NULL THEN old.parsed_branch
    END,
    CASE
        WHEN NOT origin.is_platz THEN contents.git_commit
        WHEN old.tag_format_id IS NULL THEN old.parsed_commit
    END
) AS tag
WHERE chart.id = old.id
    AND (
        chart.tag_format_id, chart.parsed_version, chart.parsed_revision, chart.parsed_branch,
        chart.parsed_commit
    ) IS DISTINCT FROM (
        tag.tag_format_id, tag.parsed_version, tag.parsed_revision, tag.parsed_branch,
        tag.parsed_commit
    )";

/// Platz stores an empty text for a group that took no part.
const TAGS: &str = "\
SELECT image_tag, count(*) FILTER (WHERE parsed_version <> ''), max(parsed_version)
FROM helm_charts
GROUP BY image_tag";

/// A tag that charts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartTag<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The number of its charts that have a parsed version.
    pub with_version: u64,
    /// One of those versions.
    pub version: Option<&'a str>,
}

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

    /// Counts rows that were written by hand as behind, and forgets rows that were deleted by hand.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn tidy_chart_details(&self) -> Result<(), Error> {
        self.query("note which charts there are", TIDY, &[]).await.map(drop)
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
        let version: Parameters<'_> = &[(&formats.version, Type::INT8), (&ids, Type::TEXT_ARRAY)];
        let parsed: Parameters<'_> = &[
            (&tags.format_ids, Type::TEXT_ARRAY),
            (&tags.versions, Type::TEXT_ARRAY),
            (&tags.revisions, Type::TEXT_ARRAY),
            (&tags.branches, Type::TEXT_ARRAY),
            (&tags.commits, Type::TEXT_ARRAY),
        ];
        let parameters = [version, parsed].concat();
        let write = async |client: &mut Client| {
            // All statements are sent together. After an error COMMIT rolls back.
            let client = &*client;
            let ((), (), written, changed, ()) = try_join!(
                client.batch_execute("BEGIN"),
                lock_formats(client, &tags),
                client.execute_typed(NOTE_PARSED, version),
                client.execute_typed(REPARSE, &parameters),
                client.batch_execute("COMMIT"),
            )?;
            Ok(Reparsed { written, changed })
        };
        let mut attempt = 1;
        loop {
            match self.run(what, write).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
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
        mut take: impl FnMut(ChartTag<'_>),
    ) -> Result<(), Error> {
        let what = "list the tags";
        let held = self.take_connection().await?;
        let read = async {
            let none: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 0] = [];
            let mut rows = pin!(held.client().query_typed_raw(TAGS, none).await?);
            while let Some(row) = rows.next().await {
                let row = row?;
                let charts: i64 = row.try_get(1)?;
                let with_version = u64::try_from(charts).unwrap_or_default();
                take(ChartTag { tag: row.try_get(0)?, with_version, version: row.try_get(2)? });
            }
            Ok(())
        };
        let answer = timeout(time, read).await;
        held.give_back(what, time, answer)
    }
}
