//! `/admin/charts/<id>/compare/<other>`: what changed from the first chart to the second one. The
//! address can be shared.

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{ChartDependency, HelmChartDocuments};
use uuid::Uuid;

use super::detail::{ShownChart, find, title};
use super::diff::{self, DiffBudget, DiffLine};
use super::table::short;
use crate::access::user::User;
use crate::app::App;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use crate::pages::addresses::{CHARTS, KINDS};
use crate::pages::layout::{Section, document};

/// The other chart, as the form on a chart's page names it.
#[derive(Debug, Deserialize)]
pub(in crate::pages) struct Choice {
    with: Uuid,
}

/// A part of the charts that is compared.
struct Compared {
    id: &'static str,
    name: &'static str,
    is_there: bool,
    lines: Vec<DiffLine>,
}

/// Redirects to the address of a comparison.
pub(in crate::pages) async fn choose(
    _: User,
    Id(id): Id,
    Query(Choice { with }): Query<Choice>,
) -> Redirect {
    Redirect::to(&format!("{CHARTS}/{id}/compare/{with}"))
}

/// Shows the page.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    user: User,
    path: Result<Path<(Uuid, Uuid)>, axum::extract::rejection::PathRejection>,
) -> Result<Markup, Problem> {
    let Ok(Path((from, to))) = path else {
        return Err(Problem::bad_request("an id in the address is not a UUID"));
    };
    let (before, after) = (find(&app, from).await?, find(&app, to).await?);
    let (from_title, to_title) = (named(&before)?, named(&after)?);
    let kind = before.own()?;
    let facts = facts(&before.chart, &after.chart);
    let crumbs = html! {
        p.crumbs {
            a href=(KINDS) { "Kinds" } " / "
            a href={ (KINDS) "/" (kind.kind_id) } { (kind.kind) }
        }
    };
    // Comparing large texts takes a moment, in which the process serves other requests.
    let compared = tokio::task::spawn_blocking(move || compare(&before.chart, &after.chart));
    let compared =
        compared.await.map_err(|_| Problem::bad_request("the charts cannot be compared"))?;
    let heading = format!("{from_title} → {to_title}");
    let body = html! {
        (crumbs)
        h1 { (heading) }
        p {
            a href={ (CHARTS) "/" (from) } { (from_title) } " · "
            a href={ (CHARTS) "/" (to) } { (to_title) } " · "
            a href={ (CHARTS) "/" (to) "/compare/" (from) } { "Swap" }
        }
        (facts)
        @for part in &compared { (section(part)) }
    };
    Ok(document(&user, Section::Kinds, &heading, &body))
}

fn named(found: &ShownChart) -> Result<String, Problem> {
    Ok(title(&found.chart.chart, found.own()?))
}

/// Shows the short fields that differ.
fn facts(before: &HelmChartDocuments, after: &HelmChartDocuments) -> Markup {
    let fields = |chart: &HelmChartDocuments| {
        let row = &chart.chart;
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        [
            ("Chart", text(&row.chart_name)),
            ("Chart version", text(&row.chart_version)),
            ("App version", text(&row.app_version)),
            ("Kubernetes", text(&row.kube_version)),
            ("Type", text(&row.chart_type)),
            ("Deprecated", if row.deprecated { "yes" } else { "no" }.to_owned()),
            ("Description", text(&row.description)),
            ("Digest", short(&row.image_digest).to_owned()),
        ]
    };
    let differing: Vec<_> = fields(before)
        .into_iter()
        .zip(fields(after))
        .filter(|((_, before), (_, after))| before != after)
        .collect();
    html! {
        @if differing.is_empty() { p { "Both are the same chart." } } @else {
            table.fields {
                caption.hidden { "Fields that differ" }
                thead { tr {
                    th scope="col" { "Field" }
                    th scope="col" { "Before" }
                    th scope="col" { "After" }
                } }
                tbody { @for ((name, before), (_, after)) in &differing {
                    tr {
                        td data-label="Field" { (name) }
                        td data-label="Before" { (before) }
                        td data-label="After" { (after) }
                    }
                } }
            }
        }
    }
}

fn compare(before: &HelmChartDocuments, after: &HelmChartDocuments) -> Vec<Compared> {
    let mut budget = DiffBudget::of_page();
    let mut part = |id, name, before: Option<&str>, after: Option<&str>| Compared {
        id,
        name,
        is_there: before.is_some() || after.is_some(),
        lines: diff::lines(before.unwrap_or_default(), after.unwrap_or_default(), &mut budget),
    };
    let (dependencies_before, dependencies_after) = (dependencies(before), dependencies(after));
    let (annotations_before, annotations_after) = (annotations(before), annotations(after));
    vec![
        part(
            "dependencies",
            "Dependencies",
            dependencies_before.as_deref(),
            dependencies_after.as_deref(),
        ),
        part("values", "Values", before.values_yaml.as_deref(), after.values_yaml.as_deref()),
        part(
            "schema",
            "Schema of the values",
            before.values_schema.as_deref(),
            after.values_schema.as_deref(),
        ),
        part("readme", "README", before.readme.as_deref(), after.readme.as_deref()),
        part(
            "annotations",
            "Annotations",
            annotations_before.as_deref(),
            annotations_after.as_deref(),
        ),
    ]
}

/// Writes the dependencies as lines.
fn dependencies(chart: &HelmChartDocuments) -> Option<String> {
    let line = |dependency: &ChartDependency| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let alias = dependency.alias.as_ref().map(|alias| format!(" as {alias}"));
        let ChartDependency { name, version, repository, .. } = dependency;
        format!(
            "{}{} {} {}\n",
            text(name),
            alias.unwrap_or_default(),
            text(version),
            text(repository)
        )
    };
    let dependencies = &chart.about.dependencies;
    (!dependencies.is_empty()).then(|| dependencies.iter().flatten().map(line).collect())
}

/// Writes the annotations as lines.
fn annotations(chart: &HelmChartDocuments) -> Option<String> {
    let annotations = &chart.about.annotations;
    let line = |(name, value): (&String, &Option<String>)| {
        format!("{name}: {}\n", value.as_deref().unwrap_or_default())
    };
    (!annotations.is_empty()).then(|| annotations.iter().map(line).collect())
}

fn section(part: &Compared) -> Markup {
    html! {
        @if part.is_there {
            h2 id=(part.id) { (part.name) }
            @if part.lines.is_empty() { p.faint { "No difference." } }
            @else { (diff::show(part.name, &part.lines)) }
        }
    }
}
