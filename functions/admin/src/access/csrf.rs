//! The token that a form carries beside the cookie of the same value: a page of another site can
//! send the cookie along, but not read it.

use axum::RequestExt as _;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::settings::AccessSettings;
use crate::http::cookies;
use crate::http::problem::Problem;

/// The token of a browser. 122 bits from the system's source of randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CsrfToken(pub(crate) Uuid);

/// What a form of ours was filled in with, once its token was found right.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

#[derive(Deserialize)]
struct FormFields<T> {
    csrf: Option<String>,
    #[serde(flatten)]
    fields: T,
}

/// The fields of a form that has only its token.
#[derive(Debug, Deserialize)]
pub(crate) struct NoFields {}

/// Gives every browser a token, and every request the one of its browser.
pub(crate) async fn give(
    State(settings): State<AccessSettings>,
    mut request: Request,
    next: Next,
) -> Response {
    let name = cookie_name(settings.is_https);
    if let Some(token) = of_cookie(request.headers(), name) {
        request.extensions_mut().insert(token);
        return next.run(request).await;
    }
    let token = CsrfToken(Uuid::new_v4());
    request.extensions_mut().insert(token);
    let mut response = next.run(request).await;
    let secure = if settings.is_https { "; Secure" } else { "" };
    let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}", token.0);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// With the prefix no other host can set the cookie, and it needs TLS.
fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-csrf" } else { "csrf" }
}

fn of_cookie(headers: &HeaderMap, name: &str) -> Option<CsrfToken> {
    cookies::value(headers, name)?.parse().ok().map(CsrfToken)
}

impl<S: Sync> FromRequestParts<S> for CsrfToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get()
            .copied()
            .ok_or_else(|| Problem::forbidden("this address has no forms"))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, Problem> {
        let token: CsrfToken = request.extract_parts().await?;
        let form = request.extract().await;
        let axum::Form(FormFields { csrf, fields }) =
            form.map_err(|rejection: axum::extract::rejection::FormRejection| {
                Problem::new(rejection.status(), rejection.body_text())
            })?;
        // Compared as numbers, in one step.
        let given = csrf.and_then(|csrf| csrf.parse().ok()).map(CsrfToken);
        if given != Some(token) {
            let detail = "the form's token is missing or out of date. Go back, reload the page and \
                          try again; cookies must \
                          be allowed";
            return Err(Problem::forbidden(detail));
        }
        Ok(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let token = Uuid::new_v4();
        for (cookies, found) in [
            (format!("csrf={token}"), true),
            (format!("a=b; csrf={token};c=d"), true),
            (format!("xcsrf={token}"), false),
            ("csrf=".to_owned(), false),
            ("csrf=no-token".to_owned(), false),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, cookies.parse().unwrap())]);
            assert_eq!(of_cookie(&headers, "csrf").is_some(), found, "{cookies}");
        }
    }
}
