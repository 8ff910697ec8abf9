//! `/discovery-instances`: a site admin's.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::db::DiscoveryInstance;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::paginated::Paginated;
use crate::app::App;
use crate::extract::{self, Query};
use crate::problem::Problem;
use crate::user::SiteAdmin;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filters {
    /// Which page, from 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Items on a page; 50 without it.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u32>,
}

/// Instances, by name
#[utoipa::path(get, path = "/discovery-instances", tag = "Discovery Instances", operation_id = "allDiscoveryInstances",
    params(Filters), responses((status = OK, body = Paginated<DiscoveryInstance>)))]
async fn list(
    State(app): State<App>,
    _: SiteAdmin,
    Query(filters): Query<Filters>,
) -> Result<Json<Paginated<DiscoveryInstance>>, Problem> {
    let page = extract::page(filters.page, filters.per_page)?;
    Ok(Json(Paginated::new(page, app.database.list_instances(page).await?)))
}
