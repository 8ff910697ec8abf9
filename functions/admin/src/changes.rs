//! Everything that can be changed, for the pages and the API alike: each change is a site admin's,
//! is checked, and is told in the log and in `admin_changes` with who, what, before and after.

use std::time::Duration;

use serde_json::{Value, json};
use shared::db::{
    Change, Changeable, DeploymentKind, HelmRegistry, HelmTagFormat, KIND_NAME_MAX, RegistryChange,
};
use shared::domain::TagPattern;
use shared::tags::Preview;
use tokio::time::Instant;
use tracing::info;
use uuid::Uuid;

use crate::app::App;
use crate::icons;
use crate::problem::Problem;
use crate::user::SiteAdmin;

/// Time for a preview: somebody waits for it.
const PREVIEW_TIME: Duration = Duration::from_secs(15);

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
    let changed = match app.database.change_registry(&user.name, id, change).await {
        Err(error) if error.is_kind_missing() => {
            return Err(Problem::unprocessable(
                "kind_id",
                "there is no deployment kind with this kind_id",
            ));
        }
        changed => changed?.ok_or_else(|| not_found("helm registry", id))?,
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
/// A problem: no such kind; a name that cannot be, or that another kind has.
pub(crate) async fn rename_kind(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
    name: &str,
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
        return wrong("the name has characters in it that cannot be seen");
    }
    let Change { before, after } = match app.database.rename_kind(&user.name, id, name).await {
        Err(error) if error.is_taken() => {
            return Err(Problem::conflict(
                "name",
                format!("another kind already has the name {name:?}"),
            ));
        }
        changed => changed?.ok_or_else(|| not_found("deployment kind", id))?,
    };
    log(&user.name, Changeable::DeploymentKind, id, &before.audited(), &after.audited());
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

/// Deletes a tag format, and has the tags parsed again.
///
/// # Errors
/// A problem: no such format.
pub(crate) async fn delete_tag_format(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    id: Uuid,
) -> Result<(), Problem> {
    let deleted = app
        .database
        .delete_tag_format(&user.name, id)
        .await?
        .ok_or_else(|| not_found("helm tag format", id))?;
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

/// What a pattern would do, with some examples.
///
/// # Errors
/// A problem: there are too many charts to go over in time.
pub(crate) async fn preview(
    app: &App,
    pattern: &TagPattern,
    limit: usize,
) -> Result<Preview, Problem> {
    Ok(shared::tags::preview(&app.database, pattern, limit, Instant::now() + PREVIEW_TIME).await?)
}

/// A pattern that can be used.
///
/// # Errors
/// A problem that says why it cannot.
pub(crate) fn check_pattern(pattern: &str) -> Result<TagPattern, Problem> {
    let refused = |reason: String| Problem::unprocessable("pattern", reason);
    if pattern.is_empty() {
        return Err(refused("the pattern is empty: enter one".to_owned()));
    }
    // What a Postgres text cannot hold.
    if pattern.contains('\0') {
        return Err(refused("the pattern has a NUL in it".to_owned()));
    }
    TagPattern::new(pattern).map_err(|error| refused(error.to_string()))
}

/// There is none of this id.
pub(crate) fn not_found(what: &str, id: Uuid) -> Problem {
    Problem::not_found(format!("there is no {what} with the id {id}"))
}

/// Control characters, and those that turn the direction of a text or have no width.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' |
            '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' |
                '\u{e0000}'..='\u{e007f}')
}

/// Nothing is told of what was so already.
fn log(user: &str, what: Changeable, id: Uuid, before: &Value, after: &Value) {
    if before != after {
        info!(target: "audit", user, what = what.as_str(), %id, %before, %after, "changed");
    }
}
