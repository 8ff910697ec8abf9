//! The routes of the pages.

use axum::Router;
use axum::extract::OriginalUri;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{get, post};

use super::{charts, diagnose, instances, kinds, registries, tag_formats};
use crate::access::AccessSettings;
use crate::access::csrf;
use crate::access::user::User;
use crate::app::App;
use crate::http::problem::Problem;

/// Returns the routes of the pages.
pub(crate) fn router(settings: &AccessSettings) -> Router<App> {
    Router::new()
        .route("/", get(start))
        .route("/kinds", get(kinds::list::show))
        .route("/kinds/{id}", get(kinds::detail::show).post(kinds::detail::rename))
        .route("/helm-registries", get(registries::list::show))
        .route("/helm-registries/{id}", get(registries::detail::show))
        .route(
            "/helm-registries/{id}/icon",
            get(registries::detail::back).post(registries::detail::set_icon),
        )
        .route(
            "/helm-registries/{id}/kind",
            get(registries::detail::back).post(registries::detail::set_kind),
        )
        .route("/charts/{id}", get(charts::detail::show))
        .route("/charts/{id}/compare", get(charts::compare::choose))
        .route("/charts/{id}/compare/{other}", get(charts::compare::show))
        .route("/tag-formats", get(tag_formats::list::show).post(tag_formats::list::add))
        .route("/tag-formats/{id}/delete", post(tag_formats::list::delete))
        .route("/instances", get(instances::show))
        .route("/diagnose", get(diagnose::show))
        .fallback(redirect_or_not_found)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(settings.clone(), csrf::give))
}

/// Redirects the address `/admin` to the first page that the user may see.
async fn start(user: User) -> Redirect {
    Redirect::to(if user.is_site_admin { "/admin/helm-registries" } else { "/admin/kinds" })
}

/// Redirects an address with a slash at the end to the address without it. An address with two
/// slashes in a row is not redirected, because a browser may read it as another site.
pub(crate) async fn redirect_or_not_found(
    OriginalUri(address): OriginalUri,
) -> Result<Redirect, Problem> {
    match address.path().strip_suffix('/') {
        Some(path) if path.starts_with("/admin") && !path.contains("//") => {
            Ok(Redirect::permanent(path))
        }
        _ => Err(Problem::not_found("there is no page at this address")),
    }
}
