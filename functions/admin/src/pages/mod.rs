//! `/admin`: the pages. Each works without JavaScript.

mod assets;
mod charts;
mod history;
mod instances;
mod kind;
mod kinds;
mod layout;
mod parts;
mod registries;
mod registry;
mod tag_formats;

pub(crate) use assets::routes as assets;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
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
        .route("/helm-registries/{id}/icon", get(registry::back).post(registry::set_icon))
        .route("/helm-registries/{id}/kind", get(registry::back).post(registry::set_kind))
        .route("/tag-formats", get(tag_formats::show).post(tag_formats::add))
        .route("/tag-formats/{id}/delete", post(tag_formats::delete))
        .route("/instances", get(instances::show))
        .fallback(nothing)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), csrf::give))
}

/// Where somebody who comes without a wish is led.
async fn first(user: User) -> Redirect {
    Redirect::to(if user.is_site_admin { "/admin/helm-registries" } else { "/admin/kinds" })
}

/// A slash too many at the end is taken away. Of an address with two slashes in a row nothing is made: it might be
/// another site's.
pub(crate) async fn nothing(OriginalUri(address): OriginalUri) -> Result<Redirect, Problem> {
    match address.path().strip_suffix('/') {
        Some(path) if path.starts_with("/admin") && !path.contains("//") => Ok(Redirect::permanent(path)),
        _ => Err(Problem::not_found("there is no page at this address")),
    }
}

/// Shows the problems of pages as pages.
pub(crate) async fn in_words(request: Request, next: Next) -> Response {
    let is_page = request.uri().path().starts_with("/admin");
    let response = next.run(request).await;
    let nobody = User { name: String::new(), is_site_admin: false };
    match response.extensions().get::<Problem>() {
        Some(problem) if is_page => {
            let user = response.extensions().get::<User>().unwrap_or(&nobody);
            let mut page = (problem.status(), layout::problem(user, problem)).into_response();
            page.headers_mut()
                .extend(response.headers().get(header::ALLOW).map(|allow| (header::ALLOW, allow.clone())));
            page
        }
        _ => response,
    }
}
