//! CSRF protection: a form must carry the same token as the browser's cookie. A page of another
//! site can make the browser send the cookie, but cannot read it.

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

/// The token of a browser: 122 random bits from the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CsrfToken(pub(crate) Uuid);

/// The fields of a form whose token is right.
#[derive(Debug)]
pub(crate) struct CsrfForm<T>(pub(crate) T);

#[derive(Deserialize)]
struct FormFields<T> {
    csrf: Option<String>,
    #[serde(flatten)]
    fields: T,
}

/// The fields of a form that has only its token.
#[derive(Debug, Deserialize)]
pub(crate) struct NoFields {}

/// Adds the browser's token to the request. A browser without a token gets one in a cookie.
pub(crate) async fn give(
    State(settings): State<AccessSettings>,
    mut request: Request,
    next: Next,
) -> Response {
    let name = cookie_name(settings.is_https);
    if let Some(token) = token_in(request.headers(), name) {
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

/// Returns the name of the cookie. The prefix `__Host-` keeps other hosts from setting the cookie,
/// and requires TLS.
fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-csrf" } else { "csrf" }
}

fn token_in(headers: &HeaderMap, name: &str) -> Option<CsrfToken> {
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

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequest<S> for CsrfForm<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, Problem> {
        let token: CsrfToken = request.extract_parts().await?;
        let form = request.extract().await;
        let axum::Form(FormFields { csrf, fields }) =
            form.map_err(|rejection: axum::extract::rejection::FormRejection| {
                Problem::new(rejection.status(), rejection.body_text())
            })?;
        // A number is compared in one step, so that the time tells nothing about the token.
        let given = csrf.and_then(|csrf| csrf.parse().ok()).map(CsrfToken);
        if given != Some(token) {
            let detail = "the form's token is missing or out of date. Go back, reload the page and \
                          try again; cookies must be allowed";
            return Err(Problem::forbidden(detail));
        }
        Ok(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_found_among_other_cookies() {
        let token = Uuid::new_v4();
        for (cookies, found) in [
            (format!("csrf={token}"), true),
            (format!("a=b; csrf={token};c=d"), true),
            (format!("xcsrf={token}"), false),
            ("csrf=".to_owned(), false),
            ("csrf=no-token".to_owned(), false),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, cookies.parse().unwrap())]);
            assert_eq!(token_in(&headers, "csrf").is_some(), found, "{cookies}");
        }
    }
}
