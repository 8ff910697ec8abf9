//! Which repositories each instance has seen, while several instances watch one registry. A
//! registry may show other repositories to other credentials.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository};

const NOTE_SEEN: &str = "\
INSERT INTO seen_repositories AS known (registry_host, repo_name, instance)
SELECT $2, seen.repo_name, $1
FROM unnest($3::text[]) AS seen (repo_name)
ORDER BY seen.repo_name
ON CONFLICT (registry_host, repo_name, instance) DO UPDATE
SET lost_at = NULL
WHERE known.lost_at IS NOT NULL";

const NOTE_LOST: &str = "\
UPDATE seen_repositories
SET lost_at = clock_timestamp()
WHERE registry_host = $2 AND repo_name = ANY ($3) AND instance = $1 AND lost_at IS NULL";

const VIEWERS: &str = "\
SELECT repo_name, instance, lost_at IS NULL
FROM seen_repositories
WHERE registry_host = $1 AND repo_name = ANY ($2)";

/// Finds nothing before the instance has noted what it sees.
const SEEN_BY_OTHERS: &str = "\
SELECT repo_name
FROM seen_repositories
WHERE registry_host = $1 AND lost_at IS NULL AND (instance = $2 OR instance = ANY ($3))
    AND EXISTS (SELECT FROM seen_repositories WHERE registry_host = $1 AND instance = $2)
GROUP BY repo_name
HAVING bool_and(instance <> $2)";

const SET_SEEN_ALL: &str = "\
UPDATE discovery_instances
SET has_seen_all = $2
WHERE name = $1 AND has_seen_all <> $2";

/// The instances that have seen a repository.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RepositoryViewers {
    /// Those to which the registry still shows it.
    pub now: HashSet<String>,
    /// Those to which the registry no longer shows it.
    pub before: HashSet<String>,
}

impl Database {
    /// Writes that the registry shows repositories to an instance. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_seen(
        &self,
        instance: &str,
        registry: &Registry,
        repositories: &[&Repository],
    ) -> Result<(), Error> {
        self.note("write which repositories are seen", NOTE_SEEN, instance, registry, repositories)
            .await
    }

    /// Writes that the registry no longer shows repositories to an instance. Safe to repeat.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_lost(
        &self,
        instance: &str,
        registry: &Registry,
        repositories: &[&Repository],
    ) -> Result<(), Error> {
        let what = "write which repositories are no longer seen";
        self.note(what, NOTE_LOST, instance, registry, repositories).await
    }

    async fn note(
        &self,
        what: &'static str,
        sql: &str,
        instance: &str,
        registry: &Registry,
        repositories: &[&Repository],
    ) -> Result<(), Error> {
        if repositories.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = repositories.iter().map(|name| name.as_str()).collect();
        let parameters: Parameters<'_> =
            &[(&instance, Type::TEXT), (&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        self.query(what, sql, parameters).await.map(drop)
    }

    /// Returns the instances that have seen each of the repositories.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn viewers(
        &self,
        registry: &Registry,
        repositories: &[&Repository],
    ) -> Result<HashMap<Repository, RepositoryViewers>, Error> {
        let what = "find the instances that have seen the repositories";
        let unreadable = |source| Error::Query { what, source };
        let names: Vec<&str> = repositories.iter().map(|name| name.as_str()).collect();
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let mut viewers: HashMap<Repository, RepositoryViewers> = HashMap::new();
        for row in self.query(what, VIEWERS, parameters).await? {
            let Ok(name) = row.try_get::<_, &str>(0).map_err(unreadable)?.parse() else { continue };
            let of = viewers.entry(name).or_default();
            let sees = row.try_get(2).map_err(unreadable)?;
            let instance = row.try_get(1).map_err(unreadable)?;
            if sees {
                of.now.insert(instance)
            } else {
                of.before.insert(instance)
            };
        }
        Ok(viewers)
    }

    /// Returns the repositories that the registry shows to one of `others`, and not to the
    /// instance.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn seen_by_others(
        &self,
        instance: &str,
        registry: &Registry,
        others: &[&str],
    ) -> Result<HashSet<Repository>, Error> {
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&instance, Type::TEXT), (&others, Type::TEXT_ARRAY)];
        let rows = self.query("list what others see", SEEN_BY_OTHERS, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }

    /// Writes whether every repository that the registry shows to an instance is noted.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_seen_all(&self, instance: &str, has_seen_all: bool) -> Result<(), Error> {
        let parameters: Parameters<'_> = &[(&instance, Type::TEXT), (&has_seen_all, Type::BOOL)];
        self.query("write that every repository is noted", SET_SEEN_ALL, parameters).await.map(drop)
    }
}
