//! Repositories that an instance could not visit, because they fail or hang. Each is a row of
//! `reference_faults` with an empty reference.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio_postgres::types::Type;

use super::faults::{FaultKind, RECORD, shortened};
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository};

/// The longest wait for the next visit. It is shorter than that of a reference, because new charts
/// are not seen meanwhile.
const WAIT_MAX: Duration = Duration::from_mins(10);

/// A fault with a stamp in the future waits for nothing, because the database's clock was ahead.
const FAULTS: &str = "\
SELECT repo_name, next_at > clock_timestamp() AND last_at <= clock_timestamp(), kind = 'hidden'
FROM reference_faults
WHERE instance = $1 AND registry_host = $2 AND reference = ''";

const WITH_CHARTS: &str = "\
SELECT DISTINCT registry.repo_name
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1
    AND registry.repo_name = ANY ($2)
    AND chart.available";

/// A repository that an instance could not visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedVisit {
    /// The repository.
    pub repository: Repository,
    /// Failed, or hidden.
    pub kind: FaultKind,
    /// The error, which may have any length.
    pub error: String,
}

/// The stored fault of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitFault {
    /// Whether the next visit is not due yet.
    pub is_waiting: bool,
    /// Whether the credentials may no longer read the repository.
    pub is_hidden: bool,
}

const FORGET: &str = "\
DELETE FROM reference_faults
WHERE instance = $1 AND registry_host = $2 AND reference = '' AND repo_name = ANY ($3)";

impl Database {
    /// Returns the repositories that could not be visited.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn repository_faults(
        &self,
        instance: &str,
        registry: &Registry,
    ) -> Result<HashMap<Repository, VisitFault>, Error> {
        let parameters: Parameters<'_> = &[(&instance, Type::TEXT), (&registry.host(), Type::TEXT)];
        let rows = self.query("list the failed repositories", FAULTS, parameters).await?;
        let fault = |row: &tokio_postgres::Row| {
            let name: &str = row.try_get(0).ok()?;
            let (is_waiting, is_hidden) = (row.try_get(1).ok()?, row.try_get(2).ok()?);
            Some((name.parse().ok()?, VisitFault { is_waiting, is_hidden }))
        };
        Ok(rows.iter().filter_map(fault).collect())
    }

    /// Writes that repositories could not be visited, each with its error. A repository waits for
    /// at most `longest`, and for at most ten minutes.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn record_repository_faults(
        &self,
        instance: &str,
        registry: &Registry,
        faults: &[FailedVisit],
        longest: Duration,
    ) -> Result<(), Error> {
        if faults.is_empty() {
            return Ok(());
        }
        let hosts = vec![registry.host(); faults.len()];
        let names: Vec<&str> = faults.iter().map(|fault| fault.repository.as_str()).collect();
        let references = vec![""; faults.len()];
        let kinds: Vec<&str> = faults.iter().map(|fault| fault.kind.as_str()).collect();
        let errors: Vec<String> = faults.iter().map(|fault| shortened(&fault.error)).collect();
        let longest = longest.min(WAIT_MAX).as_secs_f64();
        let parameters: Parameters<'_> = &[
            (&hosts, Type::TEXT_ARRAY),
            (&names, Type::TEXT_ARRAY),
            (&references, Type::TEXT_ARRAY),
            (&instance, Type::TEXT),
            (&kinds, Type::TEXT_ARRAY),
            (&errors, Type::TEXT_ARRAY),
            (&longest, Type::FLOAT8),
        ];
        self.query("write the failed repositories", RECORD, parameters).await.map(drop)
    }

    /// Returns those of the repositories that have an available chart.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn with_charts(
        &self,
        registry: &Registry,
        repositories: &[&Repository],
    ) -> Result<HashSet<Repository>, Error> {
        if repositories.is_empty() {
            return Ok(HashSet::new());
        }
        let names: Vec<&str> = repositories.iter().map(|name| name.as_str()).collect();
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let rows = self.query("find the repositories with charts", WITH_CHARTS, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }

    /// Forgets the faults of repositories that were visited.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_repository_faults(
        &self,
        instance: &str,
        registry: &Registry,
        visited: &[Repository],
    ) -> Result<(), Error> {
        if visited.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = visited.iter().map(Repository::as_str).collect();
        let parameters: Parameters<'_> =
            &[(&instance, Type::TEXT), (&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        self.query("forget the failed repositories", FORGET, parameters).await.map(drop)
    }
}
