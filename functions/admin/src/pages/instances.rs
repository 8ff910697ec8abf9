//! `/admin/instances`: how each discovery instance is.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use shared::db::DiscoveryInstance;

use super::layout::{Section, document};
use super::parts;
use crate::app::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::user::SiteAdmin;

const PATH: &str = "/admin/instances";

/// Errors of a summary that are shown.
const ERRORS: usize = 20;

#[derive(Debug, Deserialize)]
pub(super) struct Search {
    page: Option<u32>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    SiteAdmin(user): SiteAdmin,
    Query(search): Query<Search>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page)?;
    let found = app.database.list_instances(page).await?;
    let body = html! {
        h1 { "Instances" }
        p.lead { "What watches the registries, and how it is." }
        @if found.total > 0 {
            @for instance in &found.items { (card(instance)) }
            (parts::pager(page, found.total, PATH, &[]))
        } @else {
            div.empty {
                p { "No instance has run yet." }
                p { "An instance shows up when " code { "oci-poll" } " or " code { "ecr-events" } " is invoked for the first time. If it should have been, look at its schedule, its queue and its log." }
            }
        }
    };
    Ok(document(&user, Section::Instances, "Instances", &body))
}

fn card(instance: &DiscoveryInstance) -> Markup {
    let summary = instance.last_summary.as_ref();
    let held = summary.and_then(|summary| summary.get("held")).and_then(Value::as_u64).unwrap_or_default();
    html! {
        section.panel.instance {
            h2 { (instance.name) " " (state(instance)) }
            dl.facts {
                div { dt { "Provider" } dd { (instance.provider.as_deref().unwrap_or("–")) } }
                div { dt { "Watches" } dd { (instance.source.as_deref().unwrap_or("–")) } }
                div { dt { "Last run" } dd { @if let Some(at) = instance.last_started_at { (parts::ago(at)) } @else { "never" } } }
                div { dt { "Last complete" } dd { @if let Some(at) = instance.last_succeeded_at { (parts::ago(at)) } @else { "never" } } }
            }
            @if let Some(error) = &instance.last_error { p.notice.bad { (error) } }
            @if held > 0 {
                p.notice.bad {
                    (parts::counted(held.try_into().unwrap_or(i64::MAX)))
                    " deletions are held back: so many charts at once went missing that the registry is not believed. They are applied if they are still missing after "
                    code { "deletionHold" } "."
                }
            }
            @if let Some(summary) = summary { (told(summary)) }
            @if instance.progress.as_ref().and_then(Value::as_object).is_some_and(|progress| !progress.is_empty()) {
                details { summary { "Backfills" } pre { (pretty(instance.progress.as_ref())) } }
            }
        }
    }
}

fn state(instance: &DiscoveryInstance) -> Markup {
    let is_complete = instance.last_succeeded_at.is_some() && instance.last_succeeded_at >= instance.last_started_at;
    html! {
        @match (instance.last_started_at, &instance.last_error, is_complete) {
            (None, None, _) => span.badge { "NOT RUN YET" },
            (_, Some(_), true) => span.badge.deleted { "SEE BELOW" },
            (_, Some(_), false) => span.badge.broken { "FAILING" },
            (Some(_), None, true) => span.badge.fine { "OK" },
            (Some(_), None, false) => span.badge.deleted { "NOT COMPLETE" },
        }
    }
}

/// The numbers of the last summary, and its errors.
fn told(summary: &Value) -> Markup {
    let numbers = summary.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_i64()?)));
    let errors = summary.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        h3 { "Last summary" }
        dl.numbers { @for (name, number) in numbers { div { dt { (name) } dd { (parts::counted(number)) } } } }
        @if !errors.is_empty() {
            details {
                summary { (errors.len()) " errors" }
                ul { @for error in errors.iter().take(ERRORS).filter_map(Value::as_str) { li { (error) } } }
            }
        }
    }
}

fn pretty(value: Option<&Value>) -> String {
    value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
}
