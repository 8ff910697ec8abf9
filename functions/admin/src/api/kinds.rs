//! `/deployment-kinds`: every user who is signed in may read them; a site admin may rename them.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::db::{DeploymentKind, KindFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::paginated::Paginated;
use crate::access::user::{SiteAdmin, User};
use crate::app::App;
use crate::changes;
use crate::http::extract::{self, Id, Query};
use crate::http::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, update))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct KindQuery {
    /// Which page, from 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<u32>,
    /// Items on a page; the default is 50.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u32>,
    /// Part of the name, in any case.
    text: Option<String>,
    /// The whole name.
    name: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConfirmQuery {
    /// Confirms a change that concerns deployments of Platz's. Without it the answer names them.
    #[serde(default)]
    #[param(required = false)]
    pub(super) confirm: bool,
}

/// The fields that can be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateDeploymentKind {
    /// The new name of the kind.
    #[schema(min_length = 1, max_length = 1024)]
    name: String,
}

/// Kinds, by name
#[utoipa::path(get, path = "/deployment-kinds", tag = "Deployment \
    Kinds", operation_id = "allDeploymentKinds",
    params(KindQuery), responses((status = OK, body = Paginated<DeploymentKind>)))]
async fn list(
    State(app): State<App>,
    _: User,
    Query(query): Query<KindQuery>,
) -> Result<Json<Paginated<DeploymentKind>>, Problem> {
    let page = extract::page(query.page, query.per_page)?;
    let filter = KindFilter { text: query.text.as_deref(), name: query.name.as_deref() };
    Ok(Json(Paginated::new(page, app.database.list_kinds(filter, page).await?)))
}

/// A kind
#[utoipa::path(get, path = "/deployment-kinds/{id}", tag = "Deployment \
    Kinds", operation_id = "getDeploymentKind",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = DeploymentKind),
        (status = NOT_FOUND, body = Problem, content_type = "application/problem+json")))]
async fn get(State(app): State<App>, _: User, Id(id): Id) -> Result<Json<DeploymentKind>, Problem> {
    app.database
        .get_kind(id)
        .await?
        .map(Json)
        .ok_or_else(|| Problem::unknown_id("deployment kind", id))
}

/// Renames a kind
#[utoipa::path(put, path = "/deployment-kinds/{id}", tag = "Deployment \
    Kinds", operation_id = "updateDeploymentKind",
    params(("id" = Uuid, Path), ConfirmQuery), request_body = UpdateDeploymentKind,
    responses((status = OK, body = DeploymentKind),
        (status = NOT_FOUND, body = Problem, content_type = "application/problem+json"),
        (status = CONFLICT, body = Problem, content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, body = Problem, content_type = "application/problem+json"),
        (status = UNSUPPORTED_MEDIA_TYPE, body = Problem, content_type =
            "application/problem+json")))]
async fn update(
    State(app): State<App>,
    admin: SiteAdmin,
    Id(id): Id,
    Query(query): Query<ConfirmQuery>,
    extract::Json(update): extract::Json<UpdateDeploymentKind>,
) -> Result<Json<DeploymentKind>, Problem> {
    changes::rename_kind(&app, &admin, id, &update.name, query.confirm.into()).await.map(Json)
}
