//! Finds the repository that a hint means. Artifactory and Nexus name a repository key beside the
//! repository. Whether the registry's names begin with the key depends on how it is reached.

use shared::db::Database;
use shared::domain::Repository;
use shared::oci::Client;

use super::message::HintedPlace;
use crate::instance::Instance;

/// What decides about the repository of a hint.
pub(super) struct Resolver<'a> {
    pub(super) database: &'a Database,
    pub(super) client: &'a Client,
    pub(super) instance: &'a Instance,
}

impl Resolver<'_> {
    /// Returns the repository, or `None` if the instance does not select it. The name with the key
    /// counts if the instance names it, if the database knows it, or if the registry has it.
    ///
    /// # Errors
    /// Fails if the database cannot be asked.
    pub(super) async fn resolve(&self, place: &HintedPlace) -> anyhow::Result<Option<Repository>> {
        let selection = &self.instance.selection;
        let plain = Some(place.repository.clone()).filter(|name| selection.has(name));
        let Some(keyed) = place.with_key().filter(|name| selection.has(name)) else {
            return Ok(plain);
        };
        let is_named = selection.named().binary_search(&keyed).is_ok();
        if is_named || plain.is_none() || self.is_there(&keyed).await? {
            return Ok(Some(keyed));
        }
        Ok(plain)
    }

    async fn is_there(&self, repository: &Repository) -> anyhow::Result<bool> {
        let registry = &self.instance.registry;
        Ok(self.database.knows_repository(registry, repository).await?
            || self.client.list_tags(repository).await.is_ok())
    }
}

impl HintedPlace {
    /// Returns the repository's name with the key in front, if it is a possible name.
    fn with_key(&self) -> Option<Repository> {
        format!("{}/{}", self.key.as_ref()?, self.repository).parse().ok()
    }
}
