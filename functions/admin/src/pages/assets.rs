//! Files that browsers cache: the style, the script and the icons. The addresses of style and
//! script change with their content.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderName, header};
use axum::routing::get;

use crate::app::App;
use crate::http::problem::Problem;
use crate::icons;

const STYLE: &str = include_str!("../assets/admin.css");
const SCRIPT: &str = include_str!("../assets/admin.js");

/// Icons are cached for a day, because their address stays when the icon set is updated.
const ICON_KEPT: (HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=86400");

/// Style and script are cached for a year, because their address changes with their content.
const KEPT: (HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");

static STYLE_ADDRESS: LazyLock<String> =
    LazyLock::new(|| format!("/admin/assets/admin.css?{:x}", fingerprint(STYLE)));
static SCRIPT_ADDRESS: LazyLock<String> =
    LazyLock::new(|| format!("/admin/assets/admin.js?{:x}", fingerprint(SCRIPT)));

/// Returns the routes of the files.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(
            "/admin.css",
            get(async || ([KEPT, (header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)),
        )
        .route(
            "/admin.js",
            get(async || {
                ([KEPT, (header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
            }),
        )
        .route("/icons/{name}", get(icon))
        .fallback(async || Problem::not_found("there is no such file"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}

/// Returns the address of the style.
pub(super) fn style() -> &'static str {
    &STYLE_ADDRESS
}

/// Returns the address of the script.
pub(super) fn script() -> &'static str {
    &SCRIPT_ADDRESS
}

async fn icon(
    name: Result<Path<String>, PathRejection>,
) -> Result<([(HeaderName, &'static str); 2], &'static str), Problem> {
    let svg = name.ok().and_then(|Path(name)| icons::find(&name));
    let svg = svg.ok_or_else(|| Problem::not_found("there is no such icon"))?;
    Ok(([ICON_KEPT, (header::CONTENT_TYPE, "image/svg+xml")], svg))
}

/// Returns the FNV-1a hash, which is enough because it only has to show a change.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
