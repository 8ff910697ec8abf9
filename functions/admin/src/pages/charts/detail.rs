//! `/admin/charts/<id>`: one chart with all that is in it. Open to every user.

use axum::extract::State;
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{ChartPlace, ChartPlaces, HelmChart, HelmChartDocuments};
use uuid::Uuid;

use super::table::{reason, short};
use super::{about, badges, commands, markdown, places, values};
use crate::access::user::User;
use crate::app::App;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use crate::pages::addresses::{CHARTS, KINDS};
use crate::pages::layout::{Section, document};
use crate::pages::place::Place;

/// The most bytes of a schema that are shown. The whole page must fit into an answer of Lambda.
const SCHEMA_MAX: usize = 128 * 1024;

#[derive(Debug, Default, Deserialize)]
pub(in crate::pages) struct ValuesSearch {
    /// The text that shown values have.
    #[serde(default)]
    values: String,
}

/// A chart with its places.
pub(super) struct ShownChart {
    pub(super) chart: HelmChartDocuments,
    pub(super) places: ChartPlaces,
}

/// Shows the page.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    user: User,
    Id(id): Id,
    Query(search): Query<ValuesSearch>,
) -> Result<Markup, Problem> {
    let found = find(&app, id).await?;
    let (chart, own) = (&found.chart.chart, found.own()?);
    let place = Place { domain_name: &own.domain_name, repo_name: &own.repo_name };
    let title = title(chart, own);
    let body = html! {
        p.crumbs {
            a href=(KINDS) { "Kinds" } " / "
            a href={ (KINDS) "/" (own.kind_id) } { (own.kind) }
        }
        h1 { (title) (badges::of(chart)) }
        @if let Some(description) = &chart.description { p.lead { (description) } }
        @if let Some(error) = &chart.error { (reason(error)) }
        (warnings(&found.chart))
        (about::facts(chart, &found.chart.about, place))
        (contents_list(&found.chart))
        (compare_form(id, &found.places))
        (commands::show(chart, place))
        @if let Some(readme) = &found.chart.readme {
            h2 #readme { "README" }
            div.markdown { (markdown::show(readme)) }
        }
        @if let Some(text) = &found.chart.values_yaml { (values::show(id, text, &search.values)) }
        @if let Some(schema) = &found.chart.values_schema { (schema_of(schema)) }
        (about::tables(&found.chart))
        (places::show(&found.places, user.is_site_admin))
    };
    Ok(document(&user, Section::Kinds, &title, &body))
}

/// Finds a chart and its places.
pub(super) async fn find(app: &App, id: Uuid) -> Result<ShownChart, Problem> {
    let chart = app.database.get_chart(id).await?;
    let chart = chart.ok_or_else(|| Problem::unknown_id("helm chart", id))?;
    let places = app.database.chart_places(id).await?;
    Ok(ShownChart { chart, places })
}

impl ShownChart {
    /// Returns the chart's own place.
    pub(super) fn own(&self) -> Result<&ChartPlace, Problem> {
        let id = self.chart.chart.id;
        // It is missing only if the row was deleted meanwhile.
        self.places.of_digest.first().ok_or_else(|| Problem::unknown_id("helm chart", id))
    }
}

/// Returns the name of a chart for people: its name, or that of its repository, and the tag.
pub(super) fn title(chart: &HelmChart, own: &ChartPlace) -> String {
    let last = own.repo_name.rsplit('/').next().unwrap_or_default();
    format!("{} {}", chart.chart_name.as_deref().unwrap_or(last), chart.image_tag)
}

fn warnings(chart: &HelmChartDocuments) -> Markup {
    let is_unread = chart.metadata.is_none() && chart.left_out.is_empty();
    html! {
        @for left_out in &chart.left_out {
            p.notice.warn {
                code { (left_out.file()) } " is not shown: it " (left_out.reason()) "."
            }
        }
        @if is_unread && chart.chart.error.is_none() {
            p.notice.warn {
                "An earlier version of this program read this chart. Its README and values appear \
                 here after its next verification, or after a rescan."
            }
        }
    }
}

fn contents_list(chart: &HelmChartDocuments) -> Markup {
    let about = &chart.about;
    let parts = [
        ("commands", "Commands", true),
        ("readme", "README", chart.readme.is_some()),
        ("values", "Values", chart.values_yaml.is_some()),
        ("schema", "Schema", chart.values_schema.is_some()),
        ("dependencies", "Dependencies", !about.dependencies.is_empty()),
        ("maintainers", "Maintainers", !about.maintainers.is_empty()),
        ("annotations", "Annotations", !about.annotations.is_empty()),
        ("places", "Tags with this digest", true),
        ("history", "History of the tag", true),
    ];
    html! {
        nav.contents aria-label="On this page" {
            ul {
                @for (id, name, is_there) in parts {
                    @if is_there { li { a href={ "#" (id) } { (name) } } }
                }
            }
        }
    }
}

/// Shows the form that compares the chart with another one of its repository, or an earlier one of
/// its tag.
fn compare_form(id: Uuid, places: &ChartPlaces) -> Markup {
    let earlier: Vec<&ChartPlace> =
        places.of_tag.iter().filter(|place| place.id != id && !place.available).collect();
    html! {
        @if !places.beside.is_empty() || !earlier.is_empty() {
            form.search action={ (CHARTS) "/" (id) "/compare" } {
                label { span { "Compare with" }
                    select name="with" {
                        @for place in &places.beside {
                            option value=(place.id) { (place.image_tag) }
                        }
                        @for place in earlier {
                            option value=(place.id) {
                                (place.image_tag) " before (" (short(&place.image_digest)) ")"
                            }
                        }
                    }
                }
                button type="submit" { "Compare" }
            }
        }
    }
}

fn schema_of(schema: &str) -> Markup {
    let shown = schema.get(..schema.floor_char_boundary(SCHEMA_MAX)).unwrap_or(schema);
    html! {
        h2 #schema { "Schema of the values" }
        details {
            summary { "values.schema.json" }
            pre.code tabindex="0" role="region" aria-label="Schema of the values" { (shown) }
        }
        @if shown.len() < schema.len() { p.faint { "The rest is not shown. The API has it." } }
    }
}
