//! `/admin/instances`: the health of each discovery instance.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::db::DiscoveryInstance;

use super::addresses::INSTANCES;
use super::layout::{Section, document};
use super::{orphans, parts};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;

/// Most errors of a summary that are shown.
const ERRORS: usize = 20;

#[derive(Debug, Deserialize)]
pub(super) struct InstanceSearch {
    page: Option<String>,
}

/// Shows a page of the instances.
pub(super) async fn show(
    State(app): State<App>,
    SiteAdmin(user): SiteAdmin,
    Query(search): Query<InstanceSearch>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let found = app.database.list_instances(page).await?;
    let known = app.database.known_instances().await?;
    let orphaned = app.database.orphans(&known).await?;
    let body = html! {
        h1 { "Instances" }
        p.lead { "The discovery instances, which watch the registries, and their health." }
        @if found.total > 0 {
            @if found.items.is_empty() { (parts::beyond()) }
            @for instance in &found.items { (card(instance)) }
            (parts::pager(page, found.total, INSTANCES, &[]))
            (orphans::section(&orphaned))
        } @else {
            (orphans::section(&orphaned))
            div.empty {
                p { "No instance has run yet." }
                p { "An instance is listed once " code { "oci-poll" } " \
                    or " code { "ecr-events" } " has been invoked for it. If that should have \
                                                happened, check its schedule, its queue and its \
                                                log." }
            }
        }
    };
    Ok(document(&user, Section::Instances, "Instances", &body))
}

fn card(instance: &DiscoveryInstance) -> Markup {
    let summary = instance.last_summary.as_ref();
    let held = number(summary, "held").unwrap_or_default();
    html! {
        section.panel.instance {
            h2 { (instance.name) " " (state(instance, held)) }
            dl.facts {
                div { dt { "Provider" } dd {
                    (parts::provider(instance.provider.as_deref().unwrap_or("–"))) } }
                div { dt { "Watches" } dd { (instance.source.as_deref().unwrap_or("–")) } }
                div { dt { "Last run" } dd { @if let Some(at) = instance.last_started_at {
                    (parts::ago(at)) } @else { "never" } } }
                @if let Some(at) = instance.last_event_at { div { dt { "Last \
                    event" } dd { (parts::ago(at)) } } }
                @if let Some(at) = instance.last_hint_at { div { dt { "Last \
                    webhook" } dd { (parts::ago(at)) } } }
                div { dt { "Last successful \
                            run" } dd { @if let Some(at) = instance.last_succeeded_at {
                                (parts::ago(at)) } @else { "never" } } }
            }
            @if let Some(error) = &instance.last_error { p.notice.bad { strong { "Last \
                error: " } (error) } }
            @if held > 0 {
                p.notice.warn {
                    (parts::count_of(held, "deletion"))
                    " on hold, because unusually many charts disappeared at once. The charts will \
                     be marked as deleted if they are still missing after "
                    code { "deletionHold" } " (1 h by default)."
                }
            }
            (import_notice(instance))
            @if let Some(summary) = summary { (last_summary(summary)) }
            @if let Some(function) = &instance.function_name {
                details { summary { "Configuration" } p.faint { "Function " code { (function) } }
                    pre { (pretty(instance.configuration.as_ref())) } }
            }
            @if instance.progress.as_ref().and_then(Value::as_object).is_some_and(|progress|
                !progress.is_empty()) {
                details { summary { "Backfills" } pre { (pretty(instance.progress.as_ref())) } }
            }
        }
    }
}

/// Says how many charts wait for an import, and how to ask for it.
fn import_notice(instance: &DiscoveryInstance) -> Markup {
    let waiting = number(instance.last_summary.as_ref(), "wouldAdd").unwrap_or_default();
    let request = json!({"region": instance.source, "import": true});
    html! {
        @if waiting > 0 {
            p.notice {
                "An import would add at most " (parts::count_of(waiting, "chart")) " that Platz \
                 does not know yet. To ask for it, invoke "
                @if let Some(function) = &instance.function_name { code { (function) } " " }
                "with " code { (json!({"backfill": request})) } "."
            }
        }
    }
}

fn state(instance: &DiscoveryInstance, held: i64) -> Markup {
    let is_complete = instance.last_succeeded_at.is_some()
        && instance.last_succeeded_at >= instance.last_started_at;
    let has_errors = !errors(instance.last_summary.as_ref()).is_empty();
    html! {
        @match (instance.last_started_at, &instance.last_error) {
            (None, None) => span.badge { "NOT RUN YET" },
            (_, Some(_)) if !is_complete => span.badge.broken { "FAILING" },
            (_, error) if error.is_some() || held > 0 || has_errors => span.badge.deleted {
                "WARNING" },
            _ if is_complete => span.badge.fine { "OK" },
            _ => span.badge.deleted { "INCOMPLETE" },
        }
    }
}

/// The names of the numbers in a summary, in the order in which they are shown.
const NUMBERS: [(&str, &str); 10] = [
    ("passes", "Passes"),
    ("repositories", "Repositories"),
    ("tags", "Tags"),
    ("manifests", "Manifests read"),
    ("added", "Charts added"),
    ("unavailable", "Marked as deleted"),
    ("broken", "Broken"),
    ("skipped", "Skipped"),
    ("held", "Deletions on hold"),
    ("wouldAdd", "Waiting for an import"),
];

/// Shows the numbers and the errors of the last summary.
fn last_summary(summary: &Value) -> Markup {
    let numbers =
        NUMBERS.iter().filter_map(|(field, name)| Some((name, number(Some(summary), field)?)));
    let errors = errors(Some(summary));
    let more = errors.len().saturating_sub(ERRORS);
    html! {
        h3 { "Last summary" }
        dl.numbers { @for (name, number) in numbers { div { dt { (name) } dd {
            (parts::counted(number)) } } } }
        @if !errors.is_empty() {
            details {
                summary { (parts::count_of(errors.len().try_into().unwrap_or(i64::MAX), "error")) }
                ul {
                    @for error in errors.iter().take(ERRORS).filter_map(Value::as_str) { li {
                        (error) } }
                    @if more > 0 { li.faint { "and " (more) " more" } }
                }
            }
        }
    }
}

fn number(summary: Option<&Value>, field: &str) -> Option<i64> {
    summary?.get(field)?.as_i64()
}

fn errors(summary: Option<&Value>) -> &[Value] {
    let errors = summary.and_then(|summary| summary.get("errors")).and_then(Value::as_array);
    errors.map(Vec::as_slice).unwrap_or_default()
}

fn pretty(value: Option<&Value>) -> String {
    value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
}
