//! Every change that a person can make, for the pages and the API. Each function takes a site
//! admin, checks the values, and logs the change: who, what, before, after. `shared::db` writes the
//! same facts to `admin_changes`, in the transaction that makes the change.

use serde_json::{Value, json};
use shared::db::{
    Change, Changeable, DeploymentKind, HelmRegistry, HelmTagFormat, KIND_NAME_MAX, RegistryChange,
    TagFormatDeletion,
};
use tracing::info;
use uuid::Uuid;

use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::confirmation::{self, Confirmation};
use crate::http::problem::Problem;
use crate::icons;
use crate::tag_patterns;

/// Changes a registry's icon, or moves the registry to another kind. A new icon also becomes the
/// icon of the kind.
///
/// # Errors
/// No registry, icon or kind has the given id or name, or a move is not confirmed.
pub(crate) async fn change_registry(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
    change: RegistryChange<'_>,
    confirmation: Confirmation,
) -> Result<HelmRegistry, Problem> {
    change.fa_icon.map(icons::check).transpose()?;
    if let Some(kind_id) = change.kind_id {
        confirm_move(app, id, kind_id, confirmation).await?;
    }
    let changed = match app.database.change_registry(&user.name, id, change).await {
        Err(error) if error.is_kind_missing() => {
            return Err(Problem::unprocessable(
                "kind_id",
                "there is no deployment kind with this kind_id",
            ));
        }
        changed => changed?.ok_or_else(|| Problem::unknown_id("helm registry", id))?,
    };
    log(
        &user.name,
        Changeable::HelmRegistry,
        id,
        &changed.before.audited(),
        &changed.after.audited(),
    );
    Ok(changed.after)
}

/// Renames a kind.
///
/// # Errors
/// No kind has the id; the name cannot be used, or another kind has it; or it is not confirmed.
pub(crate) async fn rename_kind(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
    name: &str,
    confirmation: Confirmation,
) -> Result<DeploymentKind, Problem> {
    let name = name.trim();
    let wrong = |reason: &str| Err(Problem::unprocessable("name", reason));
    if name.is_empty() {
        return wrong("the name is empty: enter one");
    }
    if name.len() > KIND_NAME_MAX {
        return wrong(&format!("the name has {} bytes; the limit is {KIND_NAME_MAX}", name.len()));
    }
    if name.chars().any(is_invisible) {
        return wrong("the name contains invisible characters");
    }
    confirm_rename(app, id, name, confirmation).await?;
    let Change { before, after } = match app.database.rename_kind(&user.name, id, name).await {
        Err(error) if error.is_taken() => {
            return Err(Problem::conflict(
                "name",
                format!("another kind already has the name {name:?}"),
            ));
        }
        changed => changed?.ok_or_else(|| Problem::unknown_id("deployment kind", id))?,
    };
    log(&user.name, Changeable::DeploymentKind, id, &before.audited(), &after.audited());
    Ok(after)
}

/// Refuses to move a registry whose charts run in deployments, unless that is confirmed.
async fn confirm_move(
    app: &App,
    id: Uuid,
    kind_id: Uuid,
    confirmation: Confirmation,
) -> Result<(), Problem> {
    let registry = app.database.get_registry(id).await?;
    if registry.is_none_or(|registry| registry.kind_id == kind_id) {
        return Ok(());
    }
    let deployments = app.database.deployments_of_registry(id).await?;
    let because = "They run charts of this registry, and their kind would no longer offer them";
    confirmation::require(confirmation, deployments, because)
}

/// Refuses to rename a kind that has deployments, unless that is confirmed.
async fn confirm_rename(
    app: &App,
    id: Uuid,
    name: &str,
    confirmation: Confirmation,
) -> Result<(), Problem> {
    let kind = app.database.get_kind(id).await?;
    if kind.is_none_or(|kind| kind.name == name) {
        return Ok(());
    }
    let deployments = app.database.deployments_of_kind(id).await?;
    let because = "The name of the kind begins their namespaces, and charts may mention it";
    confirmation::require(confirmation, deployments, because)
}

/// Adds a tag format after the others, and starts parsing the tags again.
///
/// # Errors
/// The pattern cannot be used, or a format has it already.
pub(crate) async fn add_tag_format(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    pattern: &str,
) -> Result<HelmTagFormat, Problem> {
    let pattern = tag_patterns::check(pattern)?;
    let added = match app.database.add_tag_format(&user.name, &pattern).await {
        Err(error) if error.is_taken() => {
            return Err(Problem::conflict("pattern", "this pattern exists already"));
        }
        added => added?,
    };
    log(
        &user.name,
        Changeable::HelmTagFormat,
        added.id,
        &Value::Null,
        &json!({"pattern": added.pattern}),
    );
    app.trigger.fire(&app.functions).await;
    Ok(added)
}

/// Deletes a tag format, and starts parsing the tags again.
///
/// # Errors
/// No format has the id, or charts of Platz's refer to it.
pub(crate) async fn delete_tag_format(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
) -> Result<(), Problem> {
    let deleted = match app.database.delete_tag_format(&user.name, id).await? {
        TagFormatDeletion::Deleted(format) => format,
        TagFormatDeletion::InUse { charts } => {
            return Err(Problem::conflict(
                "id",
                format!(
                    "{charts} charts were parsed with this tag format, and Platz's database keeps \
                     a format that charts refer to. Add a format that replaces it instead"
                ),
            ));
        }
        TagFormatDeletion::NotFound => return Err(Problem::unknown_id("helm tag format", id)),
    };
    log(
        &user.name,
        Changeable::HelmTagFormat,
        id,
        &json!({"pattern": deleted.pattern}),
        &Value::Null,
    );
    app.trigger.fire(&app.functions).await;
    Ok(())
}

/// Tells whether a character is a control character, changes the direction of a text, or has no
/// width.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' |
            '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' |
                '\u{e0000}'..='\u{e007f}')
}

/// Logs a change. A change to the same value is not logged.
fn log(user: &str, what: Changeable, id: Uuid, before: &Value, after: &Value) {
    if before != after {
        info!(target: "audit", user, what = what.as_str(), %id, %before, %after, "changed");
    }
}
