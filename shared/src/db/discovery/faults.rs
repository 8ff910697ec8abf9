//! References that an instance could not look at. Each failure doubles the time to the next try.
//! `repository_faults` has the same for whole repositories.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository, Subject};

/// The longest error text, in bytes.
const ERROR_MAX: usize = 2048;

/// The most faults of each kind that an overview names.
const NAMED_MAX: i32 = 3;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The look failed. Another one may succeed.
    Failed,
    /// The artifact is past a limit. It stays so until the tag moves.
    Skipped,
    /// The credentials may no longer read the repository, which has charts.
    Hidden,
}

/// A look that failed.
#[derive(Debug)]
pub struct NewFault<'a> {
    /// The reference.
    pub subject: &'a Subject,
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The error, which may have any length.
    pub error: String,
}

/// A fault that the database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFault {
    /// The repository's name.
    pub repository: String,
    /// The tag's name.
    pub tag: String,
    /// The kind of the fault.
    pub kind: FaultKind,
    /// Whether the next try is not due yet.
    pub is_waiting: bool,
}

/// The faults of an instance, for its health.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FaultOverview {
    /// The number of failed references that wait for their next try.
    pub waiting: u64,
    /// The number of references past a limit.
    pub skipped: u64,
    /// The number of repositories that wait for their next visit.
    pub repositories: u64,
    /// A few of each kind, each with its error.
    pub named: Vec<String>,
    /// The repositories that the credentials may no longer read.
    pub hidden: HiddenOverview,
}

/// The repositories that an instance could read before, and may not read now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct HiddenOverview {
    /// The number of repositories.
    pub repositories: u64,
    /// When the first of them was refused.
    pub since: Option<OffsetDateTime>,
    /// A few of them, each with its error.
    pub named: Vec<String>,
}

/// The first try is due after 10 s, and each further one after twice the time, but at most after
/// `$7` seconds. A reference past a limit waits for `$7` at once.
pub(super) const RECORD: &str = "\
INSERT INTO reference_faults AS known
    (registry_host, repo_name, reference, instance, kind, error, attempts, first_at, last_at,
        next_at)
SELECT DISTINCT ON (fault.registry_host, fault.repo_name, fault.reference)
    fault.registry_host, fault.repo_name, fault.reference, $4, fault.kind, fault.error, 1,
    clock_timestamp(), clock_timestamp(),
    clock_timestamp() + make_interval(secs => CASE fault.kind WHEN 'skipped' THEN $7
        ELSE least(10, $7) END)
FROM unnest($1::text[], $2::text[], $3::text[], $5::text[], $6::text[])
    AS fault (registry_host, repo_name, reference, kind, error)
ORDER BY fault.registry_host, fault.repo_name, fault.reference
ON CONFLICT (instance, registry_host, repo_name, reference) DO UPDATE
SET kind = excluded.kind,
    first_at = CASE
        WHEN known.kind = excluded.kind THEN least(known.first_at, excluded.first_at)
        ELSE excluded.first_at
    END,
    error = excluded.error,
    attempts = known.attempts + 1,
    last_at = excluded.last_at,
    next_at = excluded.last_at + make_interval(secs => CASE excluded.kind WHEN 'skipped' THEN $7
        ELSE least(10 * 2.0 ^ least(known.attempts, 30), $7) END)";

const FORGET: &str = "\
DELETE FROM reference_faults AS known
USING unnest($1::text[], $2::text[], $3::text[]) AS good (registry_host, repo_name, reference)
WHERE known.instance = $4
    AND known.registry_host = good.registry_host
    AND known.repo_name = good.repo_name
    AND known.reference = good.reference";

/// A fault with a stamp in the future waits for nothing, because the database's clock was ahead.
const FAULTS_IN: &str = "\
SELECT repo_name, reference, kind = 'skipped',
    next_at > clock_timestamp() AND last_at <= clock_timestamp()
FROM reference_faults
WHERE instance = $1 AND registry_host = $2 AND repo_name = ANY ($3) AND reference <> ''";

const FAULTS_OF: &str = "\
SELECT known.registry_host, known.repo_name, known.reference,
    known.next_at > clock_timestamp() AND known.last_at <= clock_timestamp()
FROM reference_faults AS known
JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
    USING (registry_host, repo_name, reference)
WHERE known.instance = $4";

const OVERVIEW: &str = "\
SELECT what, total, since,
    repo_name || CASE reference WHEN '' THEN '' ELSE ':' || reference END
        || ': ' || error || CASE kind WHEN 'failed' THEN
        to_char(next_at AT TIME ZONE 'UTC', '\" (next try at \"YYYY-MM-DD HH24:MI:SS\" UTC)\"')
        ELSE '' END
FROM (
    SELECT *, count(*) OVER alike AS total,
        min(first_at) OVER alike AS since,
        row_number() OVER (alike ORDER BY repo_name, reference) AS place
    FROM (
        SELECT *, CASE
                WHEN kind = 'failed' AND reference = '' THEN 'repository'
                ELSE kind
            END AS what
        FROM reference_faults
        WHERE instance = $1
            AND registry_host = $2
            AND (
                kind <> 'failed'
                OR next_at > clock_timestamp() AND last_at <= clock_timestamp()
            )
    ) AS known
    WINDOW alike AS (PARTITION BY what)
) AS fault
WHERE place <= $3
ORDER BY array_position(ARRAY['repository', 'failed', 'skipped', 'hidden'], what), place";

impl Database {
    /// Writes failed looks, and deletes the faults of references that are good again. A reference
    /// waits for at most `longest`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn record_faults<'a>(
        &self,
        instance: &str,
        faults: &[NewFault<'a>],
        good: impl IntoIterator<Item = &'a Subject>,
        longest: Duration,
    ) -> Result<(), Error> {
        let failed: Subjects<'_> = faults.iter().map(|fault| fault.subject).collect();
        let good: Subjects<'_> = good.into_iter().collect();
        let kinds: Vec<&str> = faults.iter().map(|fault| fault.kind.as_str()).collect();
        let errors: Vec<String> = faults.iter().map(|fault| shortened(&fault.error)).collect();
        let longest = longest.as_secs_f64();
        let record: Parameters<'_> = &[
            (&failed.registry_hosts, Type::TEXT_ARRAY),
            (&failed.repo_names, Type::TEXT_ARRAY),
            (&failed.references, Type::TEXT_ARRAY),
            (&instance, Type::TEXT),
            (&kinds, Type::TEXT_ARRAY),
            (&errors, Type::TEXT_ARRAY),
            (&longest, Type::FLOAT8),
        ];
        let forget: Parameters<'_> = &[
            (&good.registry_hosts, Type::TEXT_ARRAY),
            (&good.repo_names, Type::TEXT_ARRAY),
            (&good.references, Type::TEXT_ARRAY),
            (&instance, Type::TEXT),
        ];
        let both = [(RECORD, record), (FORGET, forget)];
        let statements = match (faults.is_empty(), good.references.is_empty()) {
            (true, true) => return Ok(()),
            (true, false) => &both[1..],
            (false, true) => &both[..1],
            (false, false) => &both[..],
        };
        self.query_all("write the failed looks", statements).await.map(drop)
    }

    /// Returns the faults in some repositories.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn faults_in(
        &self,
        instance: &str,
        registry: &Registry,
        repositories: &[Repository],
    ) -> Result<Vec<StoredFault>, Error> {
        let what = "list the failed looks";
        let unreadable = |source| Error::Query { what, source };
        let names: Vec<&str> = repositories.iter().map(Repository::as_str).collect();
        let parameters: Parameters<'_> =
            &[(&instance, Type::TEXT), (&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let rows = self.query(what, FAULTS_IN, parameters).await?;
        let fault = |row: &tokio_postgres::Row| {
            let is_skipped: bool = row.try_get(2)?;
            let kind = if is_skipped { FaultKind::Skipped } else { FaultKind::Failed };
            let (repository, tag) = (row.try_get(0)?, row.try_get(1)?);
            Ok(StoredFault { repository, tag, kind, is_waiting: row.try_get(3)? })
        };
        rows.iter().map(fault).collect::<Result<_, _>>().map_err(unreadable)
    }

    /// Returns those of the subjects that have a fault, and whether each still waits.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn faults_of(
        &self,
        instance: &str,
        subjects: &[Subject],
    ) -> Result<HashMap<Subject, bool>, Error> {
        let what = "read the failed looks";
        let wanted: Subjects<'_> = subjects.iter().collect();
        let parameters: Parameters<'_> = &[
            (&wanted.registry_hosts, Type::TEXT_ARRAY),
            (&wanted.repo_names, Type::TEXT_ARRAY),
            (&wanted.references, Type::TEXT_ARRAY),
            (&instance, Type::TEXT),
        ];
        let rows = self.query(what, FAULTS_OF, parameters).await?;
        let fault = |row| Some((wanted.of_row(row)?.clone(), row.try_get(3).ok()?));
        Ok(rows.iter().filter_map(fault).collect())
    }

    /// Counts the faults of an instance, and names a few.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn fault_overview(
        &self,
        instance: &str,
        registry: &Registry,
    ) -> Result<FaultOverview, Error> {
        let what = "count the failed looks";
        let unreadable = |source| Error::Query { what, source };
        let parameters: Parameters<'_> =
            &[(&instance, Type::TEXT), (&registry.host(), Type::TEXT), (&NAMED_MAX, Type::INT4)];
        let mut overview = FaultOverview::default();
        for row in self.query(what, OVERVIEW, parameters).await? {
            let total: i64 = row.try_get(1).map_err(unreadable)?;
            let total = u64::try_from(total).unwrap_or_default();
            let named = row.try_get(3).map_err(unreadable)?;
            match row.try_get(0).map_err(unreadable)? {
                "hidden" => {
                    let since = row.try_get(2).map_err(unreadable)?;
                    overview.hidden.repositories = total;
                    overview.hidden.since = Some(since);
                    overview.hidden.named.push(named);
                    continue;
                }
                "repository" => overview.repositories = total,
                "skipped" => overview.skipped = total,
                _ => overview.waiting = total,
            }
            overview.named.push(named);
        }
        Ok(overview)
    }
}

impl FaultKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Hidden => "hidden",
        }
    }
}

/// Cuts an error to the column's length, and removes NUL, which text refuses.
pub(super) fn shortened(error: &str) -> String {
    let mut error = error.replace('\0', "");
    error.truncate(error.floor_char_boundary(ERROR_MAX));
    error
}
