//! What a chart says of itself: the facts, dependencies, maintainers and annotations.

use maud::{Markup, html};
use shared::db::{ChartDependency, ChartMaintainer, ChartMetadata, HelmChart, HelmChartDocuments};

use super::markdown::is_safe_address;
use crate::pages::parts;
use crate::pages::place::Place;

/// The most entries of a list that are shown. The API has all.
const SHOWN_MAX: usize = 200;

/// Shows the facts.
pub(super) fn facts(chart: &HelmChart, about: &ChartMetadata, place: Place<'_>) -> Markup {
    let parsed = chart.parsed().to_string();
    let facts = [
        ("Chart", chart.chart_name.as_deref()),
        ("Chart version", chart.chart_version.as_deref()),
        ("App version", chart.app_version.as_deref()),
        ("Kubernetes", chart.kube_version.as_deref()),
        ("Type", chart.chart_type.as_deref()),
        ("From the tag", Some(parsed.as_str()).filter(|parsed| !parsed.is_empty())),
    ];
    html! {
        dl.facts {
            div { dt { "Repository" } dd { (place.address()) } }
            div { dt { "Digest" } dd { code { (chart.image_digest) } } }
            div { dt { "Created" } dd { (parts::ago(chart.created_at)) } }
            @for (name, value) in facts {
                @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
            }
            @if let Some(home) = &about.home { div { dt { "Home" } dd { (address(home)) } } }
            @if let Some(icon) = &about.icon {
                div { dt { "Icon (not loaded)" } dd { (address(icon)) } }
            }
            @if !about.sources.is_empty() {
                div {
                    dt { "Sources" }
                    dd { @for source in shown(&about.sources) { (address(source)) " " } }
                }
            }
            @if !about.keywords.is_empty() {
                div {
                    dt { "Keywords" }
                    dd { @for word in shown(&about.keywords) { span.label { (word) } " " } }
                }
            }
            @if chart.has_provenance {
                div { dt { "Signature" } dd { "Signed (Helm provenance), not verified" } }
            }
        }
    }
}

/// Shows dependencies, maintainers and annotations, as far as there are some.
pub(super) fn tables(chart: &HelmChartDocuments) -> Markup {
    let about = &chart.about;
    html! {
        @if !about.dependencies.is_empty() {
            h2 #dependencies { "Dependencies" }
            table {
                caption.hidden { "Dependencies" }
                thead { tr { th scope="col" { "Chart" } th scope="col" { "Version" }
                    th scope="col" { "Repository" } th scope="col" { "Condition" } } }
                tbody { @for dependency in about.dependencies.iter().flatten().take(SHOWN_MAX) {
                    (row_of(dependency)) } }
            }
            (more(about.dependencies.len()))
        }
        @if !about.maintainers.is_empty() {
            h2 #maintainers { "Maintainers" }
            ul { @for maintainer in about.maintainers.iter().flatten().take(SHOWN_MAX) {
                li { (person(maintainer)) } } }
            (more(about.maintainers.len()))
        }
        @if !about.annotations.is_empty() {
            h2 #annotations { "Annotations" }
            table {
                caption.hidden { "Annotations" }
                thead { tr { th scope="col" { "Name" } th scope="col" { "Value" } } }
                tbody { @for (name, value) in about.annotations.iter().take(SHOWN_MAX) {
                    tr {
                        td data-label="Name" { code { (name) } }
                        td.lines data-label="Value" { (value.as_deref().unwrap_or_default()) }
                    }
                } }
            }
            (more(about.annotations.len()))
        }
    }
}

fn row_of(dependency: &ChartDependency) -> Markup {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    html! {
        tr {
            td data-label="Chart" {
                (text(&dependency.name))
                @if let Some(alias) = &dependency.alias { " as " (alias) }
            }
            td data-label="Version" { (text(&dependency.version)) }
            td data-label="Repository" { (address(&text(&dependency.repository))) }
            td data-label="Condition" {
                @if let Some(condition) = &dependency.condition { code { (condition) } }
            }
        }
    }
}

fn person(maintainer: &ChartMaintainer) -> Markup {
    html! {
        (maintainer.name.as_deref().unwrap_or("Without a name"))
        @if let Some(email) = &maintainer.email { " · " (email) }
        @if let Some(url) = &maintainer.url { " · " (address(url)) }
    }
}

/// Shows an address, as a link if a browser may follow it.
fn address(address: &str) -> Markup {
    html! {
        @if is_safe_address(address) {
            a rel="nofollow noopener noreferrer" href=(address) { (address) }
        }
        @else { (address) }
    }
}

fn shown(texts: &[Option<String>]) -> impl Iterator<Item = &String> {
    texts.iter().flatten().take(SHOWN_MAX)
}

fn more(all: usize) -> Markup {
    html! {
        @if all > SHOWN_MAX {
            p.faint { "Only " (SHOWN_MAX) " of " (all) " are shown. The API has all." }
        }
    }
}
