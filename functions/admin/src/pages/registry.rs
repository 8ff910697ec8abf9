//! `/admin/helm-registries/<id>`: one registry, what may be changed in it, and its charts.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{ChartFilter, HelmChart, HelmRegistry, KindFilter, Listed, Page, RegistryChange};
use uuid::Uuid;

use super::charts::{self, Place};
use super::layout::{Section, document, done, failure};
use super::parts;
use super::registries::PATH;
use crate::app::App;
use crate::changes;
use crate::csrf::{Form, Token};
use crate::extract::{Id, Query};
use crate::icons;
use crate::problem::Problem;
use crate::user::SiteAdmin;

/// Kinds that are offered while somebody types.
const OFFERED: Page = Page { number: 1, size: 100 };

#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    text: String,
    #[serde(default)]
    state: String,
    /// An icon to look at before it is set.
    #[serde(default)]
    icon: String,
    #[serde(default)]
    done: String,
    page: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Icon {
    #[serde(default)]
    fa_icon: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    #[serde(default)]
    kind: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    admin: SiteAdmin,
    token: Token,
    Id(id): Id,
    Query(search): Query<Search>,
) -> Result<Markup, Problem> {
    render(&app, &admin, token, id, &search, None).await
}

/// Sets the icon, which shows on the kind as well.
pub(super) async fn set_icon(
    State(app): State<App>,
    admin: SiteAdmin,
    token: Token,
    Id(id): Id,
    Form(Icon { fa_icon }): Form<Icon>,
) -> Result<Response, Problem> {
    let change = RegistryChange { fa_icon: Some(fa_icon.trim()), kind_id: None };
    match changes::change_registry(&app, &admin, id, change).await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}/{id}?done=icon")).into_response()),
        Err(problem) => failed(&app, &admin, token, id, problem).await,
    }
}

/// Has the registry feed another kind.
pub(super) async fn set_kind(
    State(app): State<App>,
    admin: SiteAdmin,
    token: Token,
    Id(id): Id,
    Form(Kind { kind }): Form<Kind>,
) -> Result<Response, Problem> {
    let name = kind.trim();
    let one = Page { number: 1, size: 1 };
    let found = app.database.list_kinds(KindFilter { name: Some(name), text: None }, one).await?;
    let Some(kind) = found.items.first() else {
        let problem =
            Problem::unprocessable("kind", format!("there is no kind called {name:?}: choose one that exists"));
        return failed(&app, &admin, token, id, problem).await;
    };
    let change = RegistryChange { fa_icon: None, kind_id: Some(kind.id) };
    match changes::change_registry(&app, &admin, id, change).await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}/{id}?done=kind")).into_response()),
        Err(problem) => failed(&app, &admin, token, id, problem).await,
    }
}

/// The page with what is wrong about a form.
async fn failed(app: &App, admin: &SiteAdmin, token: Token, id: Uuid, problem: Problem) -> Result<Response, Problem> {
    let page = render(app, admin, token, id, &Search::default(), Some(&problem)).await?;
    Ok((problem.status(), page).into_response())
}

async fn render(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    token: Token,
    id: Uuid,
    search: &Search,
    problem: Option<&Problem>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page)?;
    let registry = app.database.get_registry(id).await?.ok_or_else(|| changes::not_found("helm registry", id))?;
    let text = search.text.trim();
    let filter = ChartFilter {
        registry_id: Some(id),
        text: Some(text).filter(|text| !text.is_empty()),
        available: match search.state.as_str() {
            "available" => Some(true),
            "deleted" => Some(false),
            _ => None,
        },
        broken: search.state == "broken",
        ..ChartFilter::default()
    };
    let found = app.database.list_charts(&filter, page).await?;
    let kinds = app.database.list_kinds(KindFilter::default(), OFFERED).await?;
    let said = match search.done.as_str() {
        "icon" => Some("The icon is set, here and on the kind."),
        "kind" => Some("The registry feeds another kind now."),
        _ => None,
    };
    let body = html! {
        p.crumbs { a href=(PATH) { "Registries" } }
        h1 { (icons::show(&registry.fa_icon)) " " (registry.repo_name) }
        (done(said))
        (failure(problem))
        (about(&registry))
        div.forms {
            (icon_form(&registry, token, &search.icon))
            (kind_form(&registry, token, kinds.items.iter().map(|kind| kind.name.as_str())))
        }
        (charts(&registry, search, page, &found))
    };
    Ok(document(user, Section::Registries, &registry.repo_name, &body))
}

fn about(registry: &HelmRegistry) -> Markup {
    let place = Place { domain_name: &registry.domain_name, repo_name: &registry.repo_name };
    html! {
        dl.facts {
            div { dt { "Domain" } dd { (registry.domain_name) } }
            div { dt { "Repository" } dd { code { (charts::address(place)) } } }
            div { dt { "Kind" } dd { a href={ "/admin/kinds/" (registry.kind_id) } { (registry.kind) } } }
            div { dt { "Provider" } dd { (registry.provider) } }
            div { dt { "Created" } dd { (parts::ago(registry.created_at)) } }
        }
    }
}

/// An icon is looked at first, and set from there.
fn icon_form(registry: &HelmRegistry, token: Token, wanted: &str) -> Markup {
    let wanted = wanted.trim();
    let path = format!("{PATH}/{}", registry.id);
    let found = (!wanted.is_empty()).then(|| icons::check(wanted));
    html! {
        section.panel aria-labelledby="set-icon" {
            h2 #set-icon { "Set icon" }
            form method="get" action={ (path) "#set-icon" } {
                label {
                    span { "Name of an icon" }
                    input name="icon" value=(if wanted.is_empty() { registry.fa_icon.as_str() } else { wanted }) required
                        autocomplete="off" spellcheck="false" maxlength="64" data-icon;
                }
                button type="submit" { "Preview" }
            }
            @match found {
                Some(Ok(name)) => {
                    form.preview method="post" action={ (path) "/icon" } {
                        input type="hidden" name="csrf" value=(token.0);
                        input type="hidden" name="fa_icon" value=(name);
                        span.large { (icons::show(name)) }
                        button.primary type="submit" { "Set " (name) }
                    }
                }
                Some(Err(problem)) => (failure(Some(&problem))),
                None => {},
            }
            p.suggested {
                @for name in icons::SUGGESTED {
                    a href={ (parts::link(&path, &[("icon", name)])) "#set-icon" } title=(name) aria-label=(name) { (icons::show(name)) }
                    " "
                }
            }
            p.faint { "Any name of " (icons::SET) ". It shows on the kind as well." }
        }
    }
}

fn kind_form<'a>(registry: &HelmRegistry, token: Token, kinds: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        section.panel aria-labelledby="set-kind" {
            h2 #set-kind { "Kind" }
            form method="post" action={ (PATH) "/" (registry.id) "/kind" } {
                input type="hidden" name="csrf" value=(token.0);
                label {
                    span { "Feed the picker of" }
                    input name="kind" value=(registry.kind) required list="kinds" autocomplete="off" spellcheck="false";
                }
                datalist #kinds { @for kind in kinds { option value=(kind) {} } }
                button type="submit" { "Change" }
            }
            p.faint { "Two registries of one kind, a mirror for example, show their charts in one picker." }
        }
    }
}

fn charts(registry: &HelmRegistry, search: &Search, page: Page, found: &Listed<HelmChart>) -> Markup {
    let place = Place { domain_name: &registry.domain_name, repo_name: &registry.repo_name };
    let path = format!("{PATH}/{}", registry.id);
    let (text, state) = (search.text.trim(), search.state.as_str());
    html! {
        h2 { "Charts" }
        form.search role="search" method="get" action=(path) {
            label { span { "Tag or digest" } input type="search" name="text" value=(text) placeholder="Beginning of a tag, or a digest"; }
            label {
                span { "State" }
                select name="state" {
                    (parts::choice("", state, "All"))
                    (parts::choice("available", state, "Available"))
                    (parts::choice("deleted", state, "Deleted"))
                    (parts::choice("broken", state, "Broken"))
                }
            }
            button type="submit" { "Search" }
        }
        @if found.total > 0 {
            (charts::table(found.items.iter().map(|chart| (chart, place)), false))
            (parts::pager(page, found.total, &path, &[("text", text), ("state", state)]))
        } @else if text.is_empty() && state.is_empty() {
            div.empty {
                p { "No chart row is left here: somebody deleted them by hand." }
                p { "Push a chart with another tag, or have one read again with a rescan." }
            }
        } @else {
            div.empty { p { "No chart matches." } p { a href=(path) { "Show all charts" } } }
        }
    }
}
