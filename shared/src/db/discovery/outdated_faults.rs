//! The end of faults without a use: those of repositories that no pass visits any more, and those
//! of a repository whose charts a person ended.

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Repository, Selection};

/// A fault whose try was due before the last sweep had none in that sweep, so that nothing leads to
/// it any more.
const FORGET_OUTDATED: &str = "\
DELETE FROM reference_faults
WHERE instance = $1 AND (registry_host <> $2 OR next_at < $3)";

const REPOSITORIES: &str = "\
SELECT DISTINCT repo_name FROM reference_faults WHERE instance = $1";

const FORGET_REPOSITORIES: &str = "\
DELETE FROM reference_faults WHERE instance = $1 AND repo_name = ANY ($2)";

const FORGET_REPOSITORY: &str = "\
DELETE FROM reference_faults WHERE registry_host = $1 AND repo_name = $2";

impl Database {
    /// Forgets the instance's faults at other registries, and those whose next try was due before
    /// `swept_until`. Each reference that the instance still has was due since then.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_outdated_faults(
        &self,
        instance: &str,
        registry: &Registry,
        swept_until: Option<OffsetDateTime>,
    ) -> Result<(), Error> {
        let parameters: Parameters<'_> = &[
            (&instance, Type::TEXT),
            (&registry.host(), Type::TEXT),
            (&swept_until, Type::TIMESTAMPTZ),
        ];
        self.query("forget the outdated faults", FORGET_OUTDATED, parameters).await.map(drop)
    }

    /// Forgets the instance's faults in repositories that it no longer selects.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn forget_unselected_faults(
        &self,
        instance: &str,
        selection: &Selection,
    ) -> Result<(), Error> {
        let what = "forget the faults of repositories that are not selected";
        let rows = self.query(what, REPOSITORIES, &[(&instance, Type::TEXT)]).await?;
        let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>();
        let mut names = names.map_err(|source| Error::Query { what, source })?;
        names.retain(|name| !name.parse().is_ok_and(|name| selection.has(&name)));
        if names.is_empty() {
            return Ok(());
        }
        let parameters: Parameters<'_> = &[(&instance, Type::TEXT), (&names, Type::TEXT_ARRAY)];
        self.query(what, FORGET_REPOSITORIES, parameters).await.map(drop)
    }

    /// Forgets the faults of every instance in a repository.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_faults_in(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<(), Error> {
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&repository.as_str(), Type::TEXT)];
        self.query("forget the faults of the repository", FORGET_REPOSITORY, parameters)
            .await
            .map(drop)
    }
}
