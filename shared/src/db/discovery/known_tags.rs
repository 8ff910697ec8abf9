//! The tags of repositories that were looked at before, and the end of observations without a use.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use time::OffsetDateTime;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::instance_changes::FORGET_CHANGES;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository};

/// The most observations that are deleted at once, so that the statement stays short.
const OUTDATED_MAX: i64 = 5000;

/// What the database knows of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTag {
    /// Whether the tag resolved to a manifest, chart or not.
    pub is_present: bool,
    /// The time of the last look.
    pub observed_at: OffsetDateTime,
    /// The time of the first look that gave this answer.
    pub changed_at: OffsetDateTime,
    /// The time when the hold began, if the chart is held back.
    pub missing_since: Option<OffsetDateTime>,
    /// Whether there was a look at all. An import, a backup or a person may have made the tag's
    /// row.
    pub is_observed: bool,
}

/// A known tag and its names, as one row of the database has them.
#[derive(Debug, Clone, Copy)]
pub struct StoredTag<'a> {
    /// The repository's name.
    pub repository: &'a str,
    /// The tag's name.
    pub tag: &'a str,
    /// The observation.
    pub known: KnownTag,
}

/// References without a colon are tags. Every digest contains a colon. Leaves out what
/// [`DELETE_OUTDATED`] deletes, so that the answer does not depend on when that ran. A stamp in the
/// future counts as older than any look. Adds the available rows without an observation.
const TAGS_OF_REPOSITORIES: &str = "\
SELECT repo_name, reference, digest IS NOT NULL,
    CASE WHEN observed_at > clock_timestamp() THEN 'epoch' ELSE observed_at END,
    CASE WHEN missing_since <= clock_timestamp() THEN missing_since END,
    CASE WHEN changed_at > clock_timestamp() THEN 'epoch' ELSE changed_at END, true
FROM observations
WHERE registry_host = $1
    AND repo_name = ANY ($2)
    AND strpos(reference, ':') = 0
    AND (digest IS NOT NULL OR observed_at > clock_timestamp() - interval '1 day')
UNION ALL
SELECT DISTINCT registry.repo_name, chart.image_tag, true, timestamptz 'epoch', NULL::timestamptz,
    timestamptz 'epoch', false
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1
    AND registry.repo_name = ANY ($2)
    AND chart.available
    AND NOT EXISTS (
        SELECT FROM observations AS seen
        WHERE seen.registry_host = $1
            AND seen.repo_name = registry.repo_name
            AND seen.reference = chart.image_tag
            AND (seen.digest IS NOT NULL OR seen.observed_at > clock_timestamp() - interval '1 day')
    )";

const REPOSITORIES_WITH_UNKNOWN_ROWS: &str = "\
SELECT DISTINCT registry.repo_name
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1
    AND chart.available
    AND NOT EXISTS (
        SELECT FROM observations AS seen
        WHERE seen.registry_host = $1
            AND seen.repo_name = registry.repo_name
            AND seen.reference = chart.image_tag
            AND (seen.digest IS NOT NULL OR seen.observed_at > clock_timestamp() - interval '1 day')
    )";

/// Skips rows that a writer has locked, because a writer locks rows in another order.
const DELETE_OUTDATED: &str = "\
DELETE FROM observations
WHERE ctid = ANY (
    ARRAY(
        SELECT ctid
        FROM observations
        WHERE (digest IS NULL OR strpos(reference, ':') > 0)
            AND observed_at < clock_timestamp() - interval '1 day'
        ORDER BY observed_at
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    )
)";

impl Database {
    /// Reads the tags of repositories that were looked at before or have an available row, and
    /// passes each to `take`. Absent tags are included for a day. The rows arrive one by one in any
    /// order, so that memory does not grow with their number. `begin` makes the value that `take`
    /// fills. If the connection is dead, the rows are read again into a new value.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_tags<T>(
        &self,
        registry: &Registry,
        repositories: &[Repository],
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, StoredTag<'_>),
    ) -> Result<T, Error> {
        let names: Vec<&str> = repositories.iter().map(Repository::as_str).collect();
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let read = async |client: &mut Client| {
            let parameters = parameters.iter().map(|(value, of)| (*value, of.clone()));
            let rows = client.query_typed_raw(TAGS_OF_REPOSITORIES, parameters).await?;
            let mut rows = pin!(rows);
            let mut taken = begin();
            while let Some(row) = rows.try_next().await? {
                take(&mut taken, StoredTag::of_row(&row)?);
            }
            Ok(taken)
        };
        self.run_twice("list the known tags", read).await
    }

    /// Lists the repositories of a registry with an available row of a tag that was never looked
    /// at. Reads every row of the registry.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn repositories_with_unknown_rows(
        &self,
        registry: &Registry,
    ) -> Result<Vec<Repository>, Error> {
        let what = "list the repositories with unknown rows";
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let rows = self.query(what, REPOSITORIES_WITH_UNKNOWN_ROWS, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }

    /// Deletes some thousands of the observations without a use, the oldest first. An observation
    /// guards against older ones, and those are refused after 15 minutes. So an absent reference
    /// needs none after a day, and neither does a digest that an event called deleted.
    ///
    /// Deletes the notes on changes too, up to the generation that the instance's cursor has.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_outdated(&self, instance: &str, generation: i64) -> Result<(), Error> {
        let observations: Parameters<'_> = &[(&OUTDATED_MAX, Type::INT8)];
        let changes: Parameters<'_> = &[(&instance, Type::TEXT), (&generation, Type::INT8)];
        let statements = [(DELETE_OUTDATED, observations), (FORGET_CHANGES, changes)];
        self.query_all("delete what is outdated", &statements).await.map(drop)
    }
}

impl<'a> StoredTag<'a> {
    fn of_row(row: &'a Row) -> Result<Self, tokio_postgres::Error> {
        let known = KnownTag {
            is_present: row.try_get(2)?,
            observed_at: row.try_get(3)?,
            missing_since: row.try_get(4)?,
            changed_at: row.try_get(5)?,
            is_observed: row.try_get(6)?,
        };
        Ok(Self { repository: row.try_get(0)?, tag: row.try_get(1)?, known })
    }
}
