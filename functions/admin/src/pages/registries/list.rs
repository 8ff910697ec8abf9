//! `/admin/helm-registries`: all registries.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{HelmRegistry, RegistryFilter};

use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::icons;
use crate::pages::addresses::REGISTRIES;
use crate::pages::layout::{Section, document};
use crate::pages::owner;
use crate::pages::parts;
use crate::pages::place::Place;

#[derive(Debug, Deserialize)]
pub(in crate::pages) struct RegistrySearch {
    #[serde(default)]
    text: String,
    #[serde(default)]
    provider: String,
    page: Option<String>,
}

/// Shows a page of the registries, the newest first.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    SiteAdmin(user): SiteAdmin,
    Query(search): Query<RegistrySearch>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let (text, provider) = (search.text.trim(), search.provider.as_str());
    let wanted = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let filter = RegistryFilter {
        text: wanted(text),
        provider: wanted(provider),
        ..RegistryFilter::default()
    };
    let found = app.database.list_registries(&filter, page).await?;
    let query = [("text", text), ("provider", provider)];
    let is_searched = !text.is_empty() || !provider.is_empty();
    let body = html! {
        h1 { "Registries" }
        p.lead { "Repositories that contain Helm charts, newest first. They are added \
                  automatically after the first push." }
        (owner::note(&app).await?)
        form.search role="search" method="get" action=(REGISTRIES) {
            label { span { "Search" } input type="search" name="text" value=(text)
                placeholder="Domain, repository or kind"; }
            label {
                span { "Provider" }
                select name="provider" {
                    (parts::choice("", provider, "All"))
                    (parts::choice("Ecr", provider, parts::provider("Ecr")))
                    (parts::choice("Oci", provider, parts::provider("Oci")))
                }
            }
            button type="submit" { "Search" }
        }
        @if found.total > 0 {
            @if found.items.is_empty() { (parts::beyond()) } @else { (table(&found.items)) }
            (parts::pager(page, found.total, REGISTRIES, &query))
        } @else if is_searched {
            div.empty {
                p { "No registry matches." }
                p { a href=(REGISTRIES) { "Show all registries" } }
                @if text.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':'])) { p { a
                    href=(parts::link("/admin/diagnose", &[("reference", text)])) { "Diagnose \
                        why " (text) " is not here" } } }
                @else { p { "Is something missing? " a href="/admin/diagnose" { "Diagnose \
                    it" } "." } }
            }
        } @else {
            div.empty {
                p { "No chart has been seen yet." }
                p { "Push one: " code { "helm push mychart-0.1.0.tgz \
                                         oci://<registry>/<namespace>" } }
                p { "If you already have, " a href="/admin/instances" { "check the instances" } ": \
                    one of them must watch that registry. \
                    Or " a href="/admin/diagnose" { "diagnose" } " the chart." }
            }
        }
    };
    Ok(document(&user, Section::Registries, "Registries", &body))
}

fn table(registries: &[HelmRegistry]) -> Markup {
    html! {
        table {
            caption.hidden { "Registries" }
            thead {
                tr {
                    th scope="col" { "Repository" }
                    th scope="col" { "Kind" }
                    th scope="col" { "Provider" }
                    th.number scope="col" { "Charts" }
                    th scope="col" { "Last push" }
                }
            }
            tbody {
                @for registry in registries {
                    @let place = Place { domain_name: &registry.domain_name, repo_name:
                        &registry.repo_name };
                    tr {
                        td data-label="Repository" {
                            div.named {
                                (icons::show(&registry.fa_icon))
                                div {
                                    a href={ (REGISTRIES) "/" (registry.id) } {
                                        (registry.repo_name)
                                    }
                                    p.faint title=(registry.domain_name) { (place.host()) }
                                }
                            }
                        }
                        td data-label="Kind" { a href={ "/admin/kinds/" (registry.kind_id) } {
                            (registry.kind) } }
                        td data-label="Provider" { (parts::provider(&registry.provider)) }
                        td.number data-label="Charts" { (parts::counted(registry.charts)) }
                        td data-label="Last push" {
                            @if let Some(at) = registry.last_pushed_at { (parts::ago(at)) } @else {
                                span.faint { "–" } }
                        }
                    }
                }
            }
        }
    }
}
