//! What every request has at hand, and which handler gets it.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Redirect;
use axum::routing::get;
use shared::config::{Admin, AdminAuth};
use shared::db::Database;

use crate::functions::Functions;
use crate::oidc::{self, Provider};
use crate::problem::Problem;
use crate::trigger::Trigger;
use crate::{api, csrf, headers, origin, pages, user};

/// Largest body of a request, in bytes: a pattern of 4 KiB, encoded, and room.
const BODY_MAX: usize = 64 * 1024;

/// What every request has at hand.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) database: Arc<Database>,
    pub(crate) auth: Arc<AdminAuth>,
    /// Whoever users sign in at.
    pub(crate) provider: Option<Arc<Provider>>,
    /// The other functions.
    pub(crate) functions: Arc<Functions>,
    pub(crate) trigger: Arc<Trigger>,
    /// Whether tags are taken apart at all.
    pub(crate) parse_tags: bool,
    /// Whether browsers come over TLS, as they do to a Function URL.
    pub(crate) is_https: bool,
}

impl App {
    /// Makes the clients. Nothing is connected to yet.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub(crate) fn new(settings: Admin) -> anyhow::Result<Self> {
        let Admin { database, auth, address, parse_tags, tag_parser_function } = settings;
        let database = Arc::new(Database::new(database)?);
        let is_https = address.is_none();
        let provider = match &auth {
            AdminAuth::Oidc { secret_arn, .. } => {
                Some(Arc::new(Provider::new(secret_arn.clone())?))
            }
            AdminAuth::None | AdminAuth::Iam { .. } => None,
        };
        let trigger = Arc::new(Trigger::new(tag_parser_function, parse_tags && !is_https));
        let functions = Arc::default();
        Ok(Self {
            database,
            auth: Arc::new(auth),
            provider,
            functions,
            trigger,
            parse_tags,
            is_https,
        })
    }
}

/// All there is.
pub(crate) fn router(app: App) -> Router {
    let known = Router::new()
        .nest("/api/v2", api::router(&app))
        .nest("/admin", pages::router(&app))
        .route("/admin/", get(pages::nothing))
        .route("/", get(async || Redirect::to("/admin")))
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), user::identify))
        .merge(oidc::routes().layer(from_fn_with_state(app.clone(), csrf::give)))
        .layer(from_fn_with_state(app.clone(), origin::check))
        .layer(from_fn_with_state(app.clone(), pages::in_words))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    // Assets are nobody's secret, and are kept by browsers.
    let router = Router::new().nest("/admin/assets", pages::assets()).merge(known);
    let router = if app.is_https { router.layer(map_response(headers::over_tls)) } else { router };
    router.layer(map_response(headers::secure)).layer(from_fn(headers::log)).with_state(app)
}
