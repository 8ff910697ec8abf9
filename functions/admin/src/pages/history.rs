//! The changes of an object at the end of its page: what was changed, and who changed it.

use maud::{Markup, html};
use serde_json::Value;
use shared::db::{AdminChange, Changeable, PageRequest};
use uuid::Uuid;

use super::parts;
use crate::app::App;
use crate::http::problem::Problem;

/// The changes that are shown: the latest ones.
const SHOWN: PageRequest = PageRequest { number: 1, size: 20 };

/// Shows the latest changes of an object, or of all objects of a type.
pub(super) async fn changes(
    app: &App,
    changeable: Changeable,
    id: Option<Uuid>,
) -> Result<Markup, Problem> {
    let found = app.database.list_changes(changeable, id, SHOWN).await?;
    Ok(html! {
        @if !found.items.is_empty() {
            h2 { "Changes" }
            table.changes {
                caption.hidden { "Changes" }
                thead {
                    tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What"
                        } }
                }
                tbody {
                    @for change in &found.items {
                        tr {
                            td data-label="When" { (parts::ago(change.created_at)) }
                            td data-label="Who" { (change.user_name) }
                            td data-label="What" { @for line in describe(change) { p { (line) } } }
                        }
                    }
                }
            }
            @if found.total > i64::from(SHOWN.size) {
                p.faint { "and " (parts::counted(found.total - i64::from(SHOWN.size))) " older \
                    ones in " code { "admin_changes" } }
            }
        }
    })
}

/// Describes each field that changed.
fn describe(change: &AdminChange) -> Vec<Markup> {
    let fields = |side: &Option<Value>| {
        side.as_ref().and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (before, after) = (fields(&change.before), fields(&change.after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => html! { span.faint { "none" } },
        Some(Value::String(text)) => html! { code { (text) } },
        Some(other) => html! { code { (other) } },
    };
    names
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            html! { (name.replace('_', " ")) ": " (shown(before.get(name))) " \
            → " (shown(after.get(name))) }
        })
        .collect()
}
