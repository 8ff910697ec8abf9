//! `/helm-charts`: open to every user who is signed in. A deleted chart can still be read by its
//! id, so that programs that have deployed it keep working.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use shared::db::{ChartFilter, HelmChart, HelmChartDocuments};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::large;
use super::paginated::Paginated;
use crate::access::user::User;
use crate::app::App;
use crate::http::extract::{self, Id, Query};
use crate::http::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChartQuery {
    /// Which page, from 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<u32>,
    /// Items on a page; the default is 50.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u32>,
    /// The registry's id.
    helm_registry_id: Option<Uuid>,
    /// The id of the registry's kind.
    kind_id: Option<Uuid>,
    /// The name of the registry's kind.
    kind: Option<String>,
    /// Whether the tag still resolves to the digest. Without it, both are listed.
    available: Option<bool>,
    /// `true` lists only BROKEN charts.
    #[serde(default)]
    #[param(default = false)]
    broken: bool,
    /// The branch, as parsed from the tag or read from the chart.
    parsed_branch: Option<String>,
    /// The beginning of the tag, or the whole digest.
    text: Option<String>,
}

/// Charts, the newest first
///
/// Leaves out the documents `values_ui`, `actions_schema`, `features` and `resource_types`, because
/// each may have megabytes.
#[utoipa::path(get, path = "/helm-charts", tag = "Helm Charts", operation_id = "allHelmCharts",
    params(ChartQuery), responses((status = OK, body = Paginated<HelmChart>)))]
async fn list(
    State(app): State<App>,
    _: User,
    Query(query): Query<ChartQuery>,
) -> Result<Json<Paginated<HelmChart>>, Problem> {
    let page = extract::page(query.page, query.per_page)?;
    let filter = ChartFilter {
        registry_id: query.helm_registry_id,
        kind_id: query.kind_id,
        kind: query.kind.as_deref(),
        available: query.available,
        broken: query.broken,
        branch: query.parsed_branch.as_deref(),
        text: query.text.as_deref(),
    };
    Ok(Json(Paginated::new(page, app.database.list_charts(&filter, page).await?)))
}

/// A chart, available or not, with its documents
///
/// A chart with megabytes of documents needs `Accept-Encoding: gzip`.
#[utoipa::path(get, path = "/helm-charts/{id}", tag = "Helm Charts", operation_id = "getHelmChart",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = HelmChartDocuments),
        (status = NOT_FOUND, body = Problem, content_type = "application/problem+json"),
        (status = NOT_ACCEPTABLE, body = Problem, content_type = "application/problem+json")))]
async fn get(
    State(app): State<App>,
    _: User,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let chart =
        app.database.get_chart(id).await?.ok_or_else(|| Problem::unknown_id("helm chart", id))?;
    let body = serde_json::to_vec(&chart)
        .map_err(|_| Problem::bad_request("the chart cannot be written as JSON"))?;
    large::json(&headers, body)
}
