//! `/admin`: the pages. Each works without JavaScript.

mod assets;
mod charts;
mod instances;
mod kind;
mod kinds;
mod layout;
mod parts;
mod registries;
mod registry;
mod tag_formats;

pub(crate) use assets::routes as assets;

use axum::Extension;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::csrf;
use crate::problem::Problem;
use crate::user::User;

/// The routes of the pages.
pub(crate) fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(first))
        .route("/kinds", get(kinds::show))
        .route("/kinds/{id}", get(kind::show).post(kind::rename))
        .route("/helm-registries", get(registries::show))
        .route("/helm-registries/{id}", get(registry::show))
        .route("/helm-registries/{id}/icon", post(registry::set_icon))
        .route("/helm-registries/{id}/kind", post(registry::set_kind))
        .route("/tag-formats", get(tag_formats::show).post(tag_formats::add))
        .route("/tag-formats/{id}/delete", post(tag_formats::delete))
        .route("/instances", get(instances::show))
        .fallback(async || Problem::not_found("there is no page at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn(in_words))
        .layer(from_fn_with_state(app.clone(), csrf::give))
}

/// Where somebody who comes without a wish is led.
async fn first(user: User) -> Redirect {
    Redirect::to(if user.is_site_admin { "/admin/helm-registries" } else { "/admin/kinds" })
}

/// Shows a problem as a page.
async fn in_words(Extension(user): Extension<User>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) => (problem.status(), layout::problem(&user, problem)).into_response(),
        None => response,
    }
}
