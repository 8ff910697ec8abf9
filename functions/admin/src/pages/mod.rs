//! `/admin`: the pages. Each works without JavaScript.

mod assets;
mod charts;
mod diagnose;
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
pub(crate) use layout::{sign_out, signed_out};

use axum::Router;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{StatusCode, header};
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
        .route("/diagnose", get(diagnose::show))
        .fallback(nothing)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), csrf::give))
}

/// Where somebody who comes without a wish is led.
async fn first(user: User) -> Redirect {
    Redirect::to(if user.is_site_admin { "/admin/helm-registries" } else { "/admin/kinds" })
}

/// A slash too many at the end is taken away. Of an address with two slashes in a row nothing is
/// made: it might be another site's.
pub(crate) async fn nothing(OriginalUri(address): OriginalUri) -> Result<Redirect, Problem> {
    match address.path().strip_suffix('/') {
        Some(path) if path.starts_with("/admin") && !path.contains("//") => {
            Ok(Redirect::permanent(path))
        }
        _ => Err(Problem::not_found("there is no page at this address")),
    }
}

/// Shows the problems of pages as pages.
pub(crate) async fn in_words(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_page = request.uri().path().starts_with("/admin");
    // What was to be changed cannot be gone on to.
    let address = request.uri().path_and_query().filter(|_| request.method().is_safe());
    let address = address.map_or("/admin", |address| address.as_str()).to_owned();
    let response = next.run(request).await;
    let nobody = User { name: String::new(), is_site_admin: false, is_signed_in: false };
    match response.extensions().get::<Problem>() {
        Some(problem) if is_page => {
            let user = response.extensions().get::<User>().unwrap_or(&nobody);
            let status = problem.status();
            let shown = match app.provider {
                Some(_) if status == StatusCode::UNAUTHORIZED => layout::sign_in(&address),
                _ => layout::problem(user, problem),
            };
            let mut page = (status, shown).into_response();
            for name in [header::ALLOW, header::WWW_AUTHENTICATE, header::SET_COOKIE] {
                page.headers_mut()
                    .extend(response.headers().get(&name).map(|value| (name, value.clone())));
            }
            page
        }
        _ => response,
    }
}
