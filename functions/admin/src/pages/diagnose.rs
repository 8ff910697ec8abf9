//! `/admin/diagnose`: why a chart is here or not, step by step.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use shared::diagnose::{Step, StepId};

use super::addresses::DIAGNOSE;
use super::layout::{Section, document, failure};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::diagnose::{ChartDiagnosis, diagnose};
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::icons;

#[derive(Debug, Deserialize)]
pub(super) struct DiagnoseSearch {
    #[serde(default)]
    reference: String,
}

/// Shows the page, and diagnoses the reference if there is one.
pub(super) async fn show(
    State(app): State<App>,
    admin: SiteAdmin,
    Query(DiagnoseSearch { reference }): Query<DiagnoseSearch>,
) -> Result<Markup, Problem> {
    let reference = reference.trim();
    let made = match reference {
        "" => None,
        reference => Some(diagnose(&app, &admin, reference).await),
    };
    let problem = match &made {
        Some(Err(problem)) if !problem.status().is_client_error() => return Err(problem.clone()),
        Some(Err(problem)) => Some(problem),
        _ => None,
    };
    let body = html! {
        h1 { "Diagnose" }
        p.lead { "Why is a chart here, or why is it not? Paste its reference: the registry is \
                  asked now, by the function that has its credentials." }
        (failure(problem))
        form.search role="search" method="get" action=(DIAGNOSE) {
            label.wide {
                span { "Reference" }
                input name="reference" value=(reference) required autocomplete="off"
                    spellcheck="false" maxlength="1024"
                    placeholder="ghcr.io/my-org/my-chart:1.2.3" aria-invalid=[problem.map(|_|
                        "true")]
                    aria-describedby=[problem.map(|_| "problem")];
            }
            button.primary type="submit" { "Diagnose" }
        }
        @if let Some(Ok(diagnosis)) = &made { (shown(diagnosis)) }
    };
    Ok(document(&admin.0, Section::Diagnose, "Diagnose", &body))
}

fn shown(diagnosis: &ChartDiagnosis) -> Markup {
    let cause = diagnosis.steps.iter().find(|step| step.has_failed());
    html! {
        h2 #verdict { code { (diagnosis.reference) } }
        @match cause {
            None => p.notice.good role="status" { "All is well: discovery sees it, and the rows \
                agree." },
            Some(step) => div.notice.bad role="status" {
                p { strong { (question(step.id)) " No. " } (step.detail) }
                @if let Some(remedy) = &step.remedy { p { strong { "What to \
                    do: " } (with_payload(remedy)) } }
            },
        }
        ol.steps aria-labelledby="verdict" {
            @for step in &diagnosis.steps {
                @let (class, icon, said) = match step.ok {
                    Some(true) => ("good", "circle-check", "Yes"),
                    Some(false) => ("bad", "circle-xmark", "No"),
                    None => ("none", "circle-minus", "Not known"),
                };
                li id=(step.id.as_str()) class=(class) {
                    (icons::show(icon))
                    div {
                        h3 { (question(step.id)) span.hidden { " " (said) "." } }
                        p { (step.detail) }
                        @if let Some(remedy) = step.remedy.as_ref().filter(|_| !is(step, cause)) {
                            p.remedy { (with_payload(remedy)) } }
                    }
                }
            }
        }
        @if let Some(registry) = &diagnosis.found.registry {
            p {
                a href={ "/admin/helm-registries/" (registry.id) } { "Charts of this repository" }
                " · "
                a href={ "/admin/kinds/" (registry.kind_id) } { "Kind " (registry.kind) }
            }
        }
        p { a href="/admin/instances" { "Health of the instances" } }
    }
}

fn is(step: &Step, cause: Option<&Step>) -> bool {
    cause.is_some_and(|cause| cause.id == step.id)
}

/// Returns the question that a step answers.
fn question(id: StepId) -> &'static str {
    match id {
        StepId::Instance => "Does an instance watch the registry?",
        StepId::Reachable => "Does the registry answer?",
        StepId::Authorized => "May the instance read it?",
        StepId::Listed => "Does the instance follow the repository?",
        StepId::Tag => "Does the tag exist?",
        StepId::Manifest => "Is it a Helm chart?",
        StepId::Contents => "Can the chart be read?",
        StepId::Row => "Does the table have it?",
        StepId::Kind => "Is there a kind that shows it?",
        StepId::Freshness => "Does discovery run?",
    }
}

/// Shows a remedy, with its payload as code so that it can be copied.
fn with_payload(remedy: &str) -> Markup {
    let payload = remedy.find('{').zip(remedy.rfind('}')).and_then(|(begin, end)| {
        Some((remedy.get(..begin)?, remedy.get(begin..=end)?, remedy.get(end + 1..)?))
    });
    html! {
        @match payload {
            Some((before, payload, after)) => { (before) code.payload { (payload) } (after) }
            None => { (remedy) }
        }
    }
}
