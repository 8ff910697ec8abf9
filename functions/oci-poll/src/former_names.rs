//! What follows from a change of the registry's address or of `oci.domain`. Rows of the same host
//! are renamed. Rows of another host are orphans, and the health names the payload that ends them.

use shared::db::{self, Database, KnownInstance, OrphanedRegistry};
use shared::domain::Provider;
use tracing::info;

use crate::instance::Instance;

/// Gives the registry's rows the name that the instance gives it now. Leaves them if another live
/// instance gives the same host another name.
///
/// # Errors
/// When the database cannot be used.
pub(crate) async fn follow_name(database: &Database, instance: &Instance) -> Result<(), db::Error> {
    let registry = &instance.registry;
    // A name of ECR has one form only.
    if registry.provider() == Provider::Ecr {
        return Ok(());
    }
    let known = database.known_instances().await?;
    if known.others_at(registry, &instance.name).all(|other| other.names(registry)) {
        let renamed = database.rename_registry(registry).await?;
        if renamed > 0 {
            let name = registry.domain_name().as_str();
            info!(name, renamed, "the rows of the registry are renamed");
        }
    }
    Ok(())
}

/// Returns the orphans under names that the instance gave its registry before.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn former_rows(
    database: &Database,
    instance: &Instance,
) -> Result<Vec<OrphanedRegistry>, db::Error> {
    let known = database.known_instances().await?;
    let own = known.all.iter().find(|known| known.name == instance.name);
    let former = own.map(KnownInstance::former_hosts).unwrap_or_default();
    if former.is_empty() {
        return Ok(Vec::new());
    }
    let mut orphans = database.orphans(&known).await?;
    orphans.retain(|orphan| {
        let host = orphan.domain_name.split_once("://").map_or(&*orphan.domain_name, |it| it.1);
        former.contains(host)
    });
    Ok(orphans)
}
