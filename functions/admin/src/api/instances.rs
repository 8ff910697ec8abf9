//! `/discovery-instances`: for site admins only.

use axum::Json;
use axum::extract::State;
use shared::db::DiscoveryInstance;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::paginated::{Paginated, Paging};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Instances, by name
#[utoipa::path(get, path = "/discovery-instances", tag = "Discovery \
    Instances", operation_id = "allDiscoveryInstances",
    params(Paging), responses((status = OK, body = Paginated<DiscoveryInstance>)))]
async fn list(
    State(app): State<App>,
    _: SiteAdmin,
    Query(paging): Query<Paging>,
) -> Result<Json<Paginated<DiscoveryInstance>>, Problem> {
    let page = paging.page()?;
    Ok(Json(Paginated::new(page, app.database.list_instances(page).await?)))
}
