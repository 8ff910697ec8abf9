//! Everything that can be changed, for the pages and the API alike: each change is a site admin's, is checked, and is
//! logged with who, what, before and after.

use std::fmt::Debug;

use shared::db::{Change, DeploymentKind, HelmRegistry, HelmTagFormat, KIND_NAME_MAX, RegistryChange};
use shared::domain::TagPattern;
use tracing::info;
use uuid::Uuid;

use crate::app::App;
use crate::icons;
use crate::problem::Problem;
use crate::user::SiteAdmin;

/// Changes a registry's icon, and with it its kind's, or its kind.
///
/// # Errors
/// A problem: no such registry, icon or kind.
pub(crate) async fn change_registry(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
    change: RegistryChange<'_>,
) -> Result<HelmRegistry, Problem> {
    change.fa_icon.map(icons::check).transpose()?;
    let changed = match app.database.change_registry(id, change).await {
        Err(error) if error.is_kind_missing() => {
            return Err(Problem::unprocessable("kind_id", "kind_id: there is no deployment kind of this id"));
        }
        changed => changed?.ok_or_else(|| not_found("helm registry", id))?,
    };
    let told = |registry: &HelmRegistry| format!("fa_icon={} kind={:?}", registry.fa_icon, registry.kind);
    log(&user.name, "helm_registry", id, &told(&changed.before), &told(&changed.after));
    Ok(changed.after)
}

/// Renames a kind.
///
/// # Errors
/// A problem: no such kind; a name that cannot be, or that another kind has.
pub(crate) async fn rename_kind(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
    name: &str,
) -> Result<DeploymentKind, Problem> {
    let name = name.trim();
    let wrong = |reason: &str| Err(Problem::unprocessable("name", format!("name: {reason}")));
    if name.is_empty() {
        return wrong("a kind must be called something");
    }
    if name.len() > KIND_NAME_MAX {
        return wrong(&format!("it has {} bytes; the limit is {KIND_NAME_MAX}", name.len()));
    }
    if name.chars().any(char::is_control) {
        return wrong("it has characters that cannot be shown");
    }
    let Change { before, after } = match app.database.rename_kind(id, name).await {
        Err(error) if error.is_taken() => {
            return Err(Problem::conflict("name", format!("name: another kind is called {name:?}")));
        }
        changed => changed?.ok_or_else(|| not_found("deployment kind", id))?,
    };
    log(&user.name, "deployment_kind", id, &before.name, &after.name);
    Ok(after)
}

/// Adds a tag format, behind the others, and has the tags parsed again.
///
/// # Errors
/// A problem: a pattern that cannot be used, or that there is already.
pub(crate) async fn add_tag_format(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    pattern: &str,
) -> Result<HelmTagFormat, Problem> {
    let pattern = check_pattern(pattern)?;
    let added = match app.database.add_tag_format(&pattern).await {
        Err(error) if error.is_taken() => {
            return Err(Problem::conflict("pattern", "pattern: there is a tag format of this pattern already"));
        }
        added => added?,
    };
    log(&user.name, "helm_tag_format", added.id, &"none", &added.pattern);
    app.trigger.fire().await;
    Ok(added)
}

/// Deletes a tag format, and has the tags parsed again.
///
/// # Errors
/// A problem: no such format.
pub(crate) async fn delete_tag_format(app: &App, SiteAdmin(user): &SiteAdmin, id: Uuid) -> Result<(), Problem> {
    let deleted = app.database.delete_tag_format(id).await?.ok_or_else(|| not_found("helm tag format", id))?;
    log(&user.name, "helm_tag_format", id, &deleted.pattern, &"none");
    app.trigger.fire().await;
    Ok(())
}

/// A pattern that can be used.
///
/// # Errors
/// A problem that says why it cannot.
pub(crate) fn check_pattern(pattern: &str) -> Result<TagPattern, Problem> {
    let refused = |reason: String| Problem::unprocessable("pattern", reason);
    if pattern.is_empty() {
        return Err(refused("pattern: it is empty".to_owned()));
    }
    // What a Postgres text cannot hold.
    if pattern.contains('\0') {
        return Err(refused("pattern: it has a NUL in it".to_owned()));
    }
    TagPattern::new(pattern).map_err(|error| refused(format!("pattern: {error}")))
}

/// There is none of this id.
pub(crate) fn not_found(what: &str, id: Uuid) -> Problem {
    Problem::not_found(format!("there is no {what} with the id {id}"))
}

fn log(user: &str, what: &str, id: Uuid, before: &dyn Debug, after: &dyn Debug) {
    info!(user, what, %id, ?before, ?after, "changed");
}
