//! `/admin/helm-registries/<id>`: one registry, with the forms that change it, and its charts.

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

use super::forms::{IconForm, KindForm, RefusedForm, RefusedInput, icon_form, kind_form};
use crate::access::csrf::{CsrfForm, CsrfToken};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::changes;
use crate::confirmation::Confirmation;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use crate::icons;
use crate::pages::addresses::REGISTRIES;
use crate::pages::charts::{self, Shown};
use crate::pages::history;
use crate::pages::layout::{Section, document, done};
use crate::pages::parts;
use crate::pages::place::Place;

/// Most kinds that the form suggests while a user types.
const OFFERED: PageRequest = PageRequest { number: 1, size: 100 };

#[derive(Debug, Default, Deserialize)]
pub(in crate::pages) struct ChartSearch {
    #[serde(default)]
    text: String,
    #[serde(default)]
    state: String,
    /// An icon to preview before it is set.
    #[serde(default)]
    icon: String,
    #[serde(default)]
    done: String,
    page: Option<String>,
}

/// Shows the page.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    admin: SiteAdmin,
    token: CsrfToken,
    Id(id): Id,
    Query(search): Query<ChartSearch>,
) -> Result<Markup, Problem> {
    render(&app, &admin, token, id, &search, None).await
}

/// Redirects to the registry when a browser opens the address of a form.
pub(in crate::pages) async fn back(Id(id): Id) -> Redirect {
    Redirect::to(&format!("{REGISTRIES}/{id}"))
}

/// Sets the icon of the registry and of its kind.
pub(in crate::pages) async fn set_icon(
    State(app): State<App>,
    admin: SiteAdmin,
    token: CsrfToken,
    Id(id): Id,
    CsrfForm(IconForm { fa_icon }): CsrfForm<IconForm>,
) -> Result<Response, Problem> {
    let name = fa_icon.trim();
    let change = RegistryChange { fa_icon: Some(name), kind_id: None };
    let changed = changes::change_registry(&app, &admin, id, change, Confirmation::Missing);
    let Err(problem) = changed.await else {
        return Ok(Redirect::to(&format!("{REGISTRIES}/{id}?done=icon")).into_response());
    };
    let refused = RefusedForm::Icon(RefusedInput { problem: &problem, typed: name });
    let page = render(&app, &admin, token, id, &ChartSearch::default(), Some(refused)).await?;
    Ok((problem.status(), page).into_response())
}

/// Moves the registry to another kind.
pub(in crate::pages) async fn set_kind(
    State(app): State<App>,
    admin: SiteAdmin,
    token: CsrfToken,
    Id(id): Id,
    CsrfForm(KindForm { kind, confirm }): CsrfForm<KindForm>,
) -> Result<Response, Problem> {
    let name = kind.trim();
    let one = PageRequest { number: 1, size: 1 };
    let found = app.database.list_kinds(KindFilter { name: Some(name), text: None }, one).await?;
    let changed = match found.items.first() {
        Some(kind) => {
            let change = RegistryChange { fa_icon: None, kind_id: Some(kind.id) };
            let confirmation = Confirmation::of_form(&confirm);
            changes::change_registry(&app, &admin, id, change, confirmation).await
        }
        None => Err(Problem::unprocessable(
            "kind",
            format!("there is no kind named {name:?}. Choose one that exists"),
        )),
    };
    let Err(problem) = changed else {
        return Ok(Redirect::to(&format!("{REGISTRIES}/{id}?done=kind")).into_response());
    };
    let refused = RefusedForm::Kind(RefusedInput { problem: &problem, typed: name });
    let page = render(&app, &admin, token, id, &ChartSearch::default(), Some(refused)).await?;
    Ok((problem.status(), page).into_response())
}

async fn render(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    token: CsrfToken,
    id: Uuid,
    search: &ChartSearch,
    refused: Option<RefusedForm<'_>>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let registry = app
        .database
        .get_registry(id)
        .await?
        .ok_or_else(|| Problem::unknown_id("helm registry", id))?;
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
    let (refused_icon, refused_kind) = match refused {
        Some(RefusedForm::Icon(input)) => (Some(input), None),
        Some(RefusedForm::Kind(input)) => (None, Some(input)),
        None => (None, None),
    };
    let body = html! {
        p.crumbs { a href=(REGISTRIES) { "Registries" } }
        h1 { (icons::show(&registry.fa_icon)) " " (registry.repo_name) }
        (done(said))
        (about(&registry))
        div.forms {
            (icon_form(&registry, token, &search.icon, refused_icon))
            (kind_form(&registry, token, kinds, refused_kind))
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
            div { dt { "Repository" } dd { code { (place.address()) } } }
            div { dt { "Kind" } dd { a href={ "/admin/kinds/" (registry.kind_id) } {
                (registry.kind) } } }
            div { dt { "Provider" } dd { (parts::provider(&registry.provider)) } }
            div { dt { "Created" } dd { (parts::ago(registry.created_at)) } }
        }
        p { a href=(place.diagnose_link("")) { "Diagnose: is a chart missing?" } }
    }
}

fn charts(
    registry: &HelmRegistry,
    search: &ChartSearch,
    page: PageRequest,
    found: &Listed<HelmChart>,
) -> Markup {
    let place = Place { domain_name: &registry.domain_name, repo_name: &registry.repo_name };
    let path = format!("{REGISTRIES}/{}", registry.id);
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
                p { "Push a chart with a new tag, or " a href=(place.diagnose_link("")) { "see \
                    what the registry has" } "." }
            }
        } @else {
            div.empty {
                p { "No chart matches." }
                p { a href=(path) { "Show all charts" } }
                @if let Ok(tag) = text.parse::<Tag>() {
                    p { a href=(place.diagnose_link(&format!(":{tag}"))) { "Diagnose \
                        why " (tag) " is not here" } }
                }
            }
        }
    }
}
