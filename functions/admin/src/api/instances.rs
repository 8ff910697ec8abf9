//! `/discovery-instances`: for site admins only.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use shared::db::{DiscoveryInstance, OrphanedRegistry};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::paginated::{Paginated, Paging};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(orphans))
}

/// A registry with available charts that no live instance watches.
#[derive(Serialize, ToSchema)]
struct Orphan {
    /// The registry as its rows name it.
    domain_name: String,
    /// The number of its available charts.
    charts: i64,
    /// The instances that watched it and are gone.
    instances: Vec<String>,
    /// The payload of `oci-poll` that makes its charts unavailable.
    payload: Value,
}

/// The registries that no live instance watches.
#[derive(Serialize, ToSchema)]
struct Orphans {
    /// The registries, by name.
    items: Vec<Orphan>,
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

/// Registries that no live instance watches
#[utoipa::path(get, path = "/discovery-instances/orphans", tag = "Discovery Instances",
    operation_id = "allOrphans", responses((status = OK, body = Orphans)))]
async fn orphans(State(app): State<App>, _: SiteAdmin) -> Result<Json<Orphans>, Problem> {
    let known = app.database.known_instances().await?;
    let orphan = |OrphanedRegistry { domain_name, charts, instances }| Orphan {
        payload: json!({"orphans": domain_name}),
        domain_name,
        charts,
        instances,
    };
    let items = app.database.orphans(&known).await?.into_iter().map(orphan).collect();
    Ok(Json(Orphans { items }))
}
