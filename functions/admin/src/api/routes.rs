//! The routes of the API and their description.

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use super::{charts, diagnose, instances, kinds, openapi, registries, tag_formats};
use crate::app::App;
use crate::http::problem::Problem;

/// Returns the routes of the API, with their description.
pub(crate) fn router(app: &App) -> Router<App> {
    let routes = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .merge(registries::routes())
        .merge(charts::routes())
        .merge(kinds::routes())
        .merge(tag_formats::routes())
        .merge(instances::routes())
        .merge(diagnose::routes());
    let (router, document) = routes.split_for_parts();
    let document = openapi::finish(document, app.access.is_https);
    let served = axum::Json(document);
    router
        .route("/openapi.json", get(async || served))
        .fallback(async || {
            Problem::not_found("the API has nothing at this address: see /api/v2/openapi.json")
        })
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}
