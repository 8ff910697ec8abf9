//! `/admin/kinds`: the kinds that users can pick.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::KindFilter;

use crate::access::user::User;
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::icons;
use crate::pages::addresses::KINDS;
use crate::pages::layout::{Section, document};
use crate::pages::owner;
use crate::pages::parts;

#[derive(Debug, Deserialize)]
pub(in crate::pages) struct KindSearch {
    #[serde(default)]
    text: String,
    page: Option<String>,
}

/// Shows a page of the kinds, by name.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    user: User,
    Query(search): Query<KindSearch>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let text = search.text.trim();
    let filter = KindFilter { text: Some(text).filter(|text| !text.is_empty()), name: None };
    let found = app.database.list_kinds(filter, page).await?;
    let owner = owner::note(&app).await?;
    let body = html! {
        h1 { "Kinds" }
        p.lead { "What can be deployed. Each kind lists the chart versions of all of its \
                  registries." }
        @if user.is_site_admin { (owner) }
        form.search role="search" method="get" action=(KINDS) {
            label { span { "Search" } input type="search" name="text" value=(text)
                placeholder="Part of the name"; }
            button type="submit" { "Search" }
        }
        @if found.total > 0 {
            @if found.items.is_empty() { (parts::beyond()) } @else { table {
                caption.hidden { "Kinds" }
                thead {
                    tr { th scope="col" { "Kind" } th.number scope="col" { "Registries" } th
                        scope="col" { "Created" } }
                }
                tbody {
                    @for kind in &found.items {
                        tr {
                            td data-label="Kind" {
                                div.named {
                                    (icons::show(kind.fa_icon.as_deref().unwrap_or("question")))
                                    a href={ (KINDS) "/" (kind.id) } { (kind.name) }
                                }
                            }
                            td.number data-label="Registries" { (parts::counted(kind.registries)) }
                            td data-label="Created" {
                                @if let Some(at) = kind.created_at { (parts::ago(at)) } @else {
                                    span.faint { "–" } }
                            }
                        }
                    }
                }
            } }
            (parts::pager(page, found.total, KINDS, &[("text", text)]))
        } @else if text.is_empty() {
            div.empty {
                p { "There are no kinds yet." }
                p { "Pushing the first chart to a repository creates one, named after the \
                     repository." }
            }
        } @else {
            div.empty { p { "No kind matches." } p { a href=(KINDS) { "Show all kinds" } } }
        }
    };
    Ok(document(&user, Section::Kinds, "Kinds", &body))
}
