//! `/admin/kinds/<id>`: one kind, with the version picker that users see.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{
    Changeable, DeploymentKind, HelmRegistry, Listed, PageRequest, PickerChart, RegistryFilter,
};
use uuid::Uuid;

use crate::access::csrf::{CsrfForm, CsrfToken};
use crate::access::user::{SiteAdmin, User};
use crate::app::App;
use crate::changes;
use crate::confirmation::Confirmation;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use crate::icons;
use crate::pages::addresses::KINDS;
use crate::pages::charts::{self, Shown};
use crate::pages::history;
use crate::pages::layout::{Section, button, confirmation, document, done, failure};
use crate::pages::owner;
use crate::pages::parts;
use crate::pages::place::Place;

/// Most registries of the kind that are named. A kind has few: a registry and its mirrors.
const NAMED: PageRequest = PageRequest { number: 1, size: 20 };

#[derive(Debug, Default, Deserialize)]
pub(in crate::pages) struct VersionSearch {
    /// Any text shows deleted charts as well.
    #[serde(default)]
    deleted: String,
    #[serde(default)]
    done: String,
    page: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::pages) struct Rename {
    #[serde(default)]
    name: String,
    #[serde(default)]
    confirm: String,
}

/// Shows the page.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    user: User,
    token: CsrfToken,
    Id(id): Id,
    Query(search): Query<VersionSearch>,
) -> Result<Markup, Problem> {
    render(&app, &user, token, id, &search, None).await
}

/// Renames the kind.
pub(in crate::pages) async fn rename(
    State(app): State<App>,
    admin: SiteAdmin,
    token: CsrfToken,
    Id(id): Id,
    CsrfForm(Rename { name, confirm }): CsrfForm<Rename>,
) -> Result<Response, Problem> {
    match changes::rename_kind(&app, &admin, id, &name, Confirmation::of_form(&confirm)).await {
        Ok(_) => Ok(Redirect::to(&format!("{KINDS}/{id}?done=name")).into_response()),
        Err(problem) => {
            let page = render(
                &app,
                &admin.0,
                token,
                id,
                &VersionSearch::default(),
                Some((&problem, &name)),
            )
            .await?;
            Ok((problem.status(), page).into_response())
        }
    }
}

async fn render(
    app: &App,
    user: &User,
    token: CsrfToken,
    id: Uuid,
    search: &VersionSearch,
    failed: Option<(&Problem, &str)>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let kind = app
        .database
        .get_kind(id)
        .await?
        .ok_or_else(|| Problem::unknown_id("deployment kind", id))?;
    let filter = RegistryFilter { kind_id: Some(id), ..RegistryFilter::default() };
    let registries = app.database.list_registries(&filter, NAMED).await?;
    let found = app.database.pick_charts(id, !search.deleted.is_empty(), page).await?;
    let history = if user.is_site_admin {
        history::changes(app, Changeable::DeploymentKind, Some(id)).await?
    } else {
        html! {}
    };
    let owner = owner::note(app).await?;
    let body = html! {
        p.crumbs { a href=(KINDS) { "Kinds" } }
        h1 { (icons::show(kind.fa_icon.as_deref().unwrap_or("question"))) " " (kind.name) }
        (done((search.done == "name").then_some("Kind renamed.")))
        @if user.is_site_admin { (owner) (rename_form(&kind, token, failed)) }
        @if user.is_site_admin { (named(&kind, &registries)) }
        (picker(user, &kind, search, page, &found))
        (history)
    };
    Ok(document(user, Section::Kinds, &kind.name, &body))
}

fn rename_form(
    kind: &DeploymentKind,
    token: CsrfToken,
    failed: Option<(&Problem, &str)>,
) -> Markup {
    let problem = failed.map(|(problem, _)| problem);
    html! {
        section.panel aria-labelledby="rename" {
            h2 #rename { "Rename" }
            (failure(problem))
            form method="post" action={ (KINDS) "/" (kind.id) } {
                input type="hidden" name="csrf" value=(token.0);
                label {
                    span { "Name" }
                    input name="name" value=(failed.map_or(kind.name.as_str(), |(_, name)| name))
                        required autocomplete="off" spellcheck="false"
                        aria-invalid=[failed.map(|_| "true")] aria-describedby=[failed.map(|_|
                            "problem")] autofocus[failed.is_some()];
                }
                (confirmation(problem))
                button type="submit" { (button(problem, "Rename", "Rename all the same")) }
            }
        }
    }
}

fn named(kind: &DeploymentKind, registries: &Listed<HelmRegistry>) -> Markup {
    html! {
        h2 { "Registries" }
        @if registries.total == 0 {
            div.empty {
                p { "This kind has no registries." }
                p { "To add one, open a " a href="/admin/helm-registries" { "registry" } " and set \
                    its kind to “" (kind.name) "”." }
            }
        } @else {
            ul.registries {
                @for registry in &registries.items {
                    @let place = Place { domain_name: &registry.domain_name, repo_name:
                        &registry.repo_name };
                    @let label = format!("{}/{}", place.host(), place.repo_name);
                    li { a href={ "/admin/helm-registries/" (registry.id) } { (label) } }
                }
                @if registries.total > i64::from(NAMED.size) {
                    li.faint { "and " (parts::counted(registries.total - i64::from(NAMED.size))) " \
                        more" }
                }
            }
        }
    }
}

/// Shows the version picker: the charts of all registries, the newest version first.
fn picker(
    user: &User,
    kind: &DeploymentKind,
    search: &VersionSearch,
    page: PageRequest,
    found: &Listed<PickerChart>,
) -> Markup {
    let path = format!("{KINDS}/{}", kind.id);
    let with_deleted = !search.deleted.is_empty();
    let place = |chart: &PickerChart| (chart.domain_name.clone(), chart.repo_name.clone());
    let places: Vec<(String, String)> = found.items.iter().map(place).collect();
    let rows =
        found.items.iter().zip(&places).map(|(item, (domain_name, repo_name))| {
            (&item.chart, Place { domain_name, repo_name })
        });
    html! {
        h2 #versions { "Versions" }
        p {
            @if with_deleted { a href={ (path) "#versions" } { "Hide deleted versions" } }
            @else { a href={ (parts::link(&path, &[("deleted", "1")])) "#versions" } { "Show \
                deleted versions" } }
        }
        @if found.total > 0 {
            @if found.items.is_empty() { (parts::beyond()) } @else { (charts::table(rows, Shown {
                registry: kind.registries > 1, pull: user.is_site_admin })) }
            (parts::pager(page, found.total, &path, &[("deleted", if with_deleted { "1" } else { ""
                })]))
        } @else {
            div.empty {
                p { "No versions available." }
                @if kind.registries > 0 && !with_deleted { p { "All of them were deleted in the \
                    registry." } }
                @if user.is_site_admin { p { "Is one \
                                              missing? " a href="/admin/diagnose" { "Diagnose \
                                                  it" } "." } }
            }
        }
    }
}
