//! Sends each request to its handler, through the steps that check it.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Redirect;
use axum::routing::get;

use crate::access::{csrf, origin, user};
use crate::app::App;
use crate::http::headers;
use crate::http::problem::Problem;
use crate::{api, pages};

/// Largest body of a request, in bytes: an encoded pattern of 4 KiB fits with room to spare.
const BODY_MAX: usize = 64 * 1024;

/// Returns the routes of the pages and the API.
///
/// A request passes these steps in order, and its response passes them in reverse. In the code
/// below the first step stands last, because the layer that is added last is the outermost.
///
/// 1. [`headers::log`] logs the request with its status.
/// 2. [`headers::secure`], and [`headers::over_tls`] with TLS, add headers to the response.
/// 3. A request for an asset ends here, because assets are public and browsers keep them.
/// 4. [`DefaultBodyLimit`] limits the body.
/// 5. [`pages::problems::redraw`] turns a problem of a page from JSON into HTML. It reads the
///    `Problem` and the `User` from the extensions of the response.
/// 6. [`origin::check`] refuses requests that other sites make.
/// 7. Sign-in needs no user: [`csrf::give`] adds the token, and the handler answers.
/// 8. [`user::identify`] refuses a request without a user. It adds the `User` to the request for
///    the handlers, and to the response for step 5.
/// 9. For pages only: [`csrf::give`] adds the token of the browser to the request. This layer is in
///    `pages/routes.rs`, because the API has no forms.
/// 10. The handler answers. A `Problem` as its answer adds itself to the extensions for step 5.
pub(crate) fn router(app: App) -> Router {
    let for_users = Router::new()
        .nest("/api/v2", api::router(&app))
        .nest("/admin", pages::router(&app.access))
        .route("/admin/", get(pages::redirect_or_not_found))
        .route("/", get(async || Redirect::to("/admin")))
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.access.clone(), user::identify));
    let for_everyone =
        pages::sign_in::routes().layer(from_fn_with_state(app.access.clone(), csrf::give));
    let checked = for_users
        .merge(for_everyone)
        .layer(from_fn_with_state(app.access.clone(), origin::check))
        .layer(from_fn_with_state(app.access.clone(), pages::problems::redraw))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    let all = Router::new().nest("/admin/assets", pages::assets::routes()).merge(checked);
    let all = if app.access.is_https { all.layer(map_response(headers::over_tls)) } else { all };
    all.layer(map_response(headers::secure)).layer(from_fn(headers::log)).with_state(app)
}
