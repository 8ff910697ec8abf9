//! Sign-in at the identity provider, and sign-out.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tracing::{error, info, warn};

use super::addresses::{CALLBACK, LOGIN, LOGOUT, SIGNED_OUT};
use super::layout::{Section, document};
use crate::access::csrf::{CsrfForm, CsrfToken, NoFields};
use crate::access::oidc::{
    LoginError, LoginRequest, OidcIdentity, OidcProvider, PendingLogin, SignInCookie, error_code,
};
use crate::access::user::{self, User};
use crate::app::App;
use crate::http::extract::Query;
use crate::http::problem::Problem;

/// Longest address of a page to show after the login, in bytes.
const NEXT_MAX: usize = 1024;

/// The query of the sign-in address: the page to show afterwards.
#[derive(Debug, Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

/// The query with which the provider sends the browser back.
#[derive(Debug, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Returns the routes, which need no user.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(LOGIN, get(login))
        .route(CALLBACK, get(callback))
        .route(LOGOUT, get(async |token: CsrfToken| sign_out_page(token)).post(logout))
        .route(SIGNED_OUT, get(async || signed_out_page()))
}

/// Redirects the browser to the provider.
async fn login(
    State(app): State<App>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Problem> {
    let provider = provider(&app)?;
    let LoginRequest { address, state, nonce, verifier } =
        provider.begin(callback_of(&app, &headers)?).await.map_err(|error| unreachable(&error))?;
    let begun = PendingLogin { state, nonce, verifier, next: local(&next).to_owned() };
    let key = provider.key().await.map_err(|error| unreachable(&error))?;
    let mut response = Redirect::to(address.as_str()).into_response();
    append(&mut response, [Some(SignInCookie::Login.set(&key, app.access.is_https, &begun)?)]);
    Ok(response)
}

/// Ends the login of the browser that began it. A second attempt needs a new login.
async fn callback(
    State(app): State<App>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Problem> {
    let provider = provider(&app)?;
    let key = provider.key().await.map_err(|error| unreachable(&error))?;
    if let Some(error) = answer.error {
        // The state need not be checked, because an error signs no user in.
        return Err(refused(&format!(
            "the identity provider answered with the error {}",
            error_code(&error)
        )));
    }
    let begun: Option<PendingLogin> = SignInCookie::Login.read(&key, app.access.is_https, &headers);
    let Some(begun) = begun.filter(|begun| answer.state.as_deref() == Some(begun.state.as_str()))
    else {
        return Err(refused("this browser did not begin this login"));
    };
    let mut response = match finish_login(&app, provider, &headers, answer.code, begun).await {
        Ok((next, identity)) => {
            info!(target: "audit", user = identity.email, "signed in");
            let mut response = Redirect::to(&next).into_response();
            append(
                &mut response,
                [Some(SignInCookie::Session.set(&key, app.access.is_https, &identity)?)],
            );
            response
        }
        Err(problem) => problem.into_response(),
    };
    append(&mut response, [SignInCookie::Login.delete(app.access.is_https)]);
    Ok(response)
}

/// Returns the page to show next, and the user.
async fn finish_login(
    app: &App,
    provider: &OidcProvider,
    headers: &HeaderMap,
    code: Option<String>,
    begun: PendingLogin,
) -> Result<(String, OidcIdentity), Problem> {
    let code = code.ok_or_else(|| refused("the identity provider's answer has no code"))?;
    if !app.database.end_login(&begun.state).await? {
        return Err(refused("this login has already ended"));
    }
    let callback = callback_of(app, headers)?;
    match Box::pin(provider.finish(callback, code, &begun.nonce, begun.verifier)).await {
        Ok(identity) => Ok((begun.next, user::with_needed_groups(&app.access, identity))),
        Err(LoginError::Unreachable(error)) => Err(unreachable(&error)),
        Err(LoginError::Refused { reason, error }) => {
            warn!(error = %format!("{error:#}"), "a login was refused");
            Err(refused(&reason))
        }
    }
}

/// Ends the session of this browser.
async fn logout(State(app): State<App>, CsrfForm(NoFields {}): CsrfForm<NoFields>) -> Response {
    let mut response = Redirect::to(SIGNED_OUT).into_response();
    append(&mut response, [SignInCookie::Session.delete(app.access.is_https)]);
    response
}

/// Asks whether to sign out.
fn sign_out_page(token: CsrfToken) -> Markup {
    let body = html! {
        h1 { "Sign out" }
        form method="post" action=(LOGOUT) {
            input type="hidden" name="csrf" value=(token.0);
            button.primary type="submit" { "Sign out" }
        }
        p { a href="/admin" { "Go back" } }
    };
    document(&User::unknown(), Section::None, "Sign out", &body)
}

/// Confirms the sign-out.
fn signed_out_page() -> Markup {
    let body = html! {
        h1 { "Signed out" }
        p { "You are signed out here. At the identity provider you may still be signed in." }
        p { a.button href=(LOGIN) { "Sign in again" } }
    };
    document(&User::unknown(), Section::None, "Signed out", &body)
}

fn append(response: &mut Response, cookies: impl IntoIterator<Item = Option<HeaderValue>>) {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn provider(app: &App) -> Result<&Arc<OidcProvider>, Problem> {
    app.access
        .provider
        .as_ref()
        .ok_or_else(|| Problem::not_found("there is no page at this address"))
}

/// Returns the address to which the provider sends the browser back: the host of the request.
fn callback_of(app: &App, headers: &HeaderMap) -> Result<String, Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if app.access.is_https { "https" } else { "http" };
    let base = format!("{scheme}://{host}");
    // The header must contain only a host and a port.
    let is_host = url::Url::parse(&base)
        .is_ok_and(|url| url.as_str().trim_end_matches('/').eq_ignore_ascii_case(&base));
    if host.contains(['@', '/', '?', '#', '\\']) || !is_host {
        return Err(Problem::bad_request("the request's Host is not a host"));
    }
    Ok(format!("{base}{CALLBACK}"))
}

/// Returns the address if it is one of these pages, and else the start page. Browsers read `//host`
/// and `/\host` as another site. The length is limited, because a cookie holds only 4 KB.
fn local(next: &str) -> &str {
    let is_ours = next == "/admin" || next.starts_with("/admin/");
    let is_plain =
        next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !next.contains("//");
    if is_ours && is_plain && next.len() <= NEXT_MAX { next } else { "/admin" }
}

fn refused(reason: &str) -> Problem {
    let again = "Sign in again: start from this browser, and finish within ten minutes";
    Problem::new(StatusCode::FORBIDDEN, format!("{reason}. {again}"))
}

fn unreachable(cause: &anyhow::Error) -> Problem {
    error!(error = %format!("{cause:#}"), "sign-in fails: the identity provider cannot be used");
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "the identity provider cannot be used for now: try again, and if this stays look at the \
         function's log",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hostile input 40.
    #[test]
    fn sign_in_returns_only_to_a_local_page() {
        for next in ["/admin", "/admin/kinds", "/admin/helm-registries?text=a%2Fb&page=2"] {
            assert_eq!(local(next), next);
        }
        for next in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/admin//evil.example",
            "/administer",
            "/admin/\\evil",
            "javascript:alert(1)",
            &format!("/admin/{}", "x".repeat(1100)),
            "/admin/\r\nSet-Cookie: a=b",
            " /admin/kinds",
            "/api/v2/helm-charts",
        ] {
            assert_eq!(local(next), "/admin", "{next}");
        }
    }
}
