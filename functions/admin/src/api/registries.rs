//! `/helm-registries`: for site admins only. Only discovery adds rows.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::db::{HelmRegistry, RegistryChange, RegistryFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::kinds::ConfirmQuery;
use super::paginated::Paginated;
use crate::access::user::SiteAdmin;
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
struct RegistryQuery {
    /// Which page, from 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<u32>,
    /// Items on a page; the default is 50.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u32>,
    /// Part of the domain name, the repository name or the kind's name, in any case.
    text: Option<String>,
    /// The whole repository name.
    repo_name: Option<String>,
    /// `Ecr` or `Oci`.
    provider: Option<String>,
    /// The kind's id.
    kind_id: Option<Uuid>,
    /// The kind's name.
    kind: Option<String>,
}

/// The fields that can be changed. A field that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateHelmRegistry {
    /// The name of a FontAwesome icon. It also becomes the icon of the kind.
    fa_icon: Option<String>,
    /// The kind that shows the charts of the registry.
    kind_id: Option<Uuid>,
}

/// Registries, the newest first
#[utoipa::path(get, path = "/helm-registries", tag = "Helm \
    Registries", operation_id = "allHelmRegistries",
    params(RegistryQuery), responses((status = OK, body = Paginated<HelmRegistry>)))]
async fn list(
    State(app): State<App>,
    _: SiteAdmin,
    Query(query): Query<RegistryQuery>,
) -> Result<Json<Paginated<HelmRegistry>>, Problem> {
    let page = extract::page(query.page, query.per_page)?;
    let filter = RegistryFilter {
        text: query.text.as_deref(),
        repo_name: query.repo_name.as_deref(),
        provider: query.provider.as_deref(),
        kind_id: query.kind_id,
        kind: query.kind.as_deref(),
    };
    Ok(Json(Paginated::new(page, app.database.list_registries(&filter, page).await?)))
}

/// A registry
#[utoipa::path(get, path = "/helm-registries/{id}", tag = "Helm \
    Registries", operation_id = "getHelmRegistry",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = HelmRegistry),
        (status = NOT_FOUND, body = Problem, content_type = "application/problem+json")))]
async fn get(
    State(app): State<App>,
    _: SiteAdmin,
    Id(id): Id,
) -> Result<Json<HelmRegistry>, Problem> {
    let registry = app.database.get_registry(id).await?;
    registry.map(Json).ok_or_else(|| Problem::unknown_id("helm registry", id))
}

/// Sets a registry's icon or kind
#[utoipa::path(put, path = "/helm-registries/{id}", tag = "Helm \
    Registries", operation_id = "updateHelmRegistry",
    params(("id" = Uuid, Path), ConfirmQuery), request_body = UpdateHelmRegistry,
    responses((status = OK, body = HelmRegistry),
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
    extract::Json(update): extract::Json<UpdateHelmRegistry>,
) -> Result<Json<HelmRegistry>, Problem> {
    let change = RegistryChange { fa_icon: update.fa_icon.as_deref(), kind_id: update.kind_id };
    changes::change_registry(&app, &admin, id, change, query.confirm.into()).await.map(Json)
}
