//! `/admin/helm-registries/<id>`: one registry, what may be changed in it, and its charts.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{
    Changeable, ChartFilter, HelmChart, HelmRegistry, KindFilter, Listed, PageRequest,
    RegistryChange,
};
use shared::domain::Tag;
use uuid::Uuid;

use super::charts::{self, Place, Shown};
use super::layout::{Section, document, done, failure};
use super::parts;
use super::registries::PATH;
use super::{diagnose, history};
use crate::app::App;
use crate::changes;
use crate::csrf::{Form, Token};
use crate::extract::{Id, Query};
use crate::icons;
use crate::problem::Problem;
use crate::user::SiteAdmin;

/// Kinds that are offered while somebody types.
const OFFERED: PageRequest = PageRequest { number: 1, size: 100 };

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
    page: Option<String>,
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

/// A form that was refused: which one, why, and what was typed.
enum Refused<'a> {
    Icon(&'a Problem),
    Kind(&'a Problem, &'a str),
}

/// The addresses of the forms, asked for by themselves.
pub(super) async fn back(Id(id): Id) -> Redirect {
    Redirect::to(&format!("{PATH}/{id}"))
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
    let Err(problem) = changes::change_registry(&app, &admin, id, change).await else {
        return Ok(Redirect::to(&format!("{PATH}/{id}?done=icon")).into_response());
    };
    let page =
        render(&app, &admin, token, id, &Search::default(), Some(Refused::Icon(&problem))).await?;
    Ok((problem.status(), page).into_response())
}

/// Has the registry belong to another kind.
pub(super) async fn set_kind(
    State(app): State<App>,
    admin: SiteAdmin,
    token: Token,
    Id(id): Id,
    Form(Kind { kind }): Form<Kind>,
) -> Result<Response, Problem> {
    let name = kind.trim();
    let one = PageRequest { number: 1, size: 1 };
    let found = app.database.list_kinds(KindFilter { name: Some(name), text: None }, one).await?;
    let changed = match found.items.first() {
        Some(kind) => {
            let change = RegistryChange { fa_icon: None, kind_id: Some(kind.id) };
            changes::change_registry(&app, &admin, id, change).await
        }
        None => Err(Problem::unprocessable(
            "kind",
            format!("there is no kind named {name:?}. Choose one that exists"),
        )),
    };
    let Err(problem) = changed else {
        return Ok(Redirect::to(&format!("{PATH}/{id}?done=kind")).into_response());
    };
    let page =
        render(&app, &admin, token, id, &Search::default(), Some(Refused::Kind(&problem, name)))
            .await?;
    Ok((problem.status(), page).into_response())
}

async fn render(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    token: Token,
    id: Uuid,
    search: &Search,
    refused: Option<Refused<'_>>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let registry = app
        .database
        .get_registry(id)
        .await?
        .ok_or_else(|| changes::not_found("helm registry", id))?;
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
    let kinds = kinds.items.iter().map(|kind| kind.name.as_str());
    let history = history::changes(app, Changeable::HelmRegistry, Some(id)).await?;
    let said = match search.done.as_str() {
        "icon" => Some("Icon updated, on the registry and its kind."),
        "kind" => Some("Kind changed."),
        _ => None,
    };
    let (icon_problem, kind_problem) = match refused {
        Some(Refused::Icon(problem)) => (Some(problem), None),
        Some(Refused::Kind(problem, typed)) => (None, Some((problem, typed))),
        None => (None, None),
    };
    let body = html! {
        p.crumbs { a href=(PATH) { "Registries" } }
        h1 { (icons::show(&registry.fa_icon)) " " (registry.repo_name) }
        (done(said))
        (about(&registry))
        div.forms {
            (icon_form(&registry, token, &search.icon, icon_problem))
            (kind_form(&registry, token, kinds, kind_problem))
        }
        (charts(&registry, search, page, &found))
        (history)
    };
    Ok(document(user, Section::Registries, &registry.repo_name, &body))
}

fn about(registry: &HelmRegistry) -> Markup {
    let place = Place { domain_name: &registry.domain_name, repo_name: &registry.repo_name };
    html! {
        dl.facts {
            div { dt { "Domain" } dd { (registry.domain_name) } }
            div { dt { "Repository" } dd { code { (charts::address(place)) } } }
            div { dt { "Kind" } dd { a href={ "/admin/kinds/" (registry.kind_id) } {
                (registry.kind) } } }
            div { dt { "Provider" } dd { (parts::provider(&registry.provider)) } }
            div { dt { "Created" } dd { (parts::ago(registry.created_at)) } }
        }
        p { a href=(diagnose::link(place, "")) { "Diagnose: is a chart missing?" } }
    }
}

/// An icon is looked at first, and set from there.
fn icon_form(
    registry: &HelmRegistry,
    token: Token,
    wanted: &str,
    refused: Option<&Problem>,
) -> Markup {
    let wanted = wanted.trim();
    let path = format!("{PATH}/{}", registry.id);
    let found = (!wanted.is_empty()).then(|| icons::check(wanted));
    let is_wrong = refused.is_some() || matches!(found, Some(Err(_)));
    html! {
        section.panel aria-labelledby="set-icon" {
            h2 #set-icon { "Set icon" }
            (failure(refused))
            form method="get" action={ (path) "#set-icon" } {
                label {
                    span { "Icon name" }
                    input name="icon" value=(if wanted.is_empty() { registry.fa_icon.as_str() }
                        else { wanted }) required
                        autocomplete="off" spellcheck="false" maxlength="64" data-icon
                        aria-invalid=[is_wrong.then_some("true")]
                            aria-describedby=[is_wrong.then_some("problem")];
                }
                button type="submit" { "Preview" }
            }
            @match found {
                Some(Ok(name)) => {
                    form.preview method="post" action={ (path) "/icon" } {
                        input type="hidden" name="csrf" value=(token.0);
                        input type="hidden" name="fa_icon" value=(name);
                        span.large { (icons::show(name)) }
                        button.primary type="submit" { "Set icon " (name) }
                    }
                }
                Some(Err(problem)) => (failure(Some(&problem))),
                None => {},
            }
            p.faint.suggestions { "Suggestions, or any name \
                                   of " a href="https://fontawesome.com/v6/search?o=r&m=free"
                                       rel="noreferrer" { (icons::SET) } ":" }
            ul.suggested {
                @for name in icons::SUGGESTED {
                    li { a href={ (parts::link(&path, &[("icon", name)])) "#set-icon" }
                        title=(name) aria-label=(name) { (icons::show(name)) } }
                }
            }
            p.faint { "The icon shows on the kind as well." }
        }
    }
}

fn kind_form<'a>(
    registry: &HelmRegistry,
    token: Token,
    kinds: impl Iterator<Item = &'a str>,
    refused: Option<(&Problem, &str)>,
) -> Markup {
    html! {
        section.panel aria-labelledby="set-kind" {
            h2 #set-kind { "Kind" }
            (failure(refused.map(|(problem, _)| problem)))
            form method="post" action={ (PATH) "/" (registry.id) "/kind" } {
                input type="hidden" name="csrf" value=(token.0);
                label {
                    span { "Name of the kind" }
                    input name="kind" value=(refused.map_or(registry.kind.as_str(), |(_, typed)|
                        typed)) required list="kinds"
                        autocomplete="off" spellcheck="false" aria-invalid=[refused.map(|_| "true")]
                        aria-describedby=[refused.map(|_| "problem")] autofocus[refused.is_some()];
                }
                datalist #kinds { @for kind in kinds { option value=(kind) {} } }
                button type="submit" { "Change" }
            }
            p.faint { "Registries with the same kind, for example a mirror, share one version \
                       list." }
        }
    }
}

fn charts(
    registry: &HelmRegistry,
    search: &Search,
    page: PageRequest,
    found: &Listed<HelmChart>,
) -> Markup {
    let place = Place { domain_name: &registry.domain_name, repo_name: &registry.repo_name };
    let path = format!("{PATH}/{}", registry.id);
    let (text, state) = (search.text.trim(), search.state.as_str());
    html! {
        h2 { "Charts" }
        form.search role="search" method="get" action=(path) {
            label { span { "Tag or \
                            digest" } input type="search" name="text" value=(text)
                                placeholder="Start of a tag, or a digest"; }
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
            @if found.items.is_empty() { (parts::beyond()) }
            @else { (charts::table(found.items.iter().map(|chart| (chart, place)), Shown {
                registry: false, pull: true })) }
            (parts::pager(page, found.total, &path, &[("text", text), ("state", state)]))
        } @else if text.is_empty() && state.is_empty() {
            div.empty {
                p { "No charts are recorded here: the rows were deleted by hand." }
                p { "Push a chart with a new tag, or " a href=(diagnose::link(place, "")) { "see \
                    what the registry has" } "." }
            }
        } @else {
            div.empty {
                p { "No chart matches." }
                p { a href=(path) { "Show all charts" } }
                @if let Ok(tag) = text.parse::<Tag>() {
                    p { a href=(diagnose::link(place, &format!(":{tag}"))) { "Diagnose \
                        why " (tag) " is not here" } }
                }
            }
        }
    }
}
