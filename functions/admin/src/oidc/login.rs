//! Signing in and out: to the provider, back from it, and away.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use tracing::{info, warn};

use super::provider::{Began, Provider};
use super::session::{Begun, Carried};
use crate::app::App;
use crate::csrf::{Form, Token};
use crate::extract::Query;
use crate::problem::Problem;
use crate::{pages, user};

/// Where the provider sends the browser back to.
const CALLBACK: &str = "/admin/login/callback";

#[derive(Debug, Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Nothing {}

/// The routes, open to everybody.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/admin/login", get(login))
        .route(CALLBACK, get(callback))
        .route("/admin/logout", get(async |token: Token| pages::sign_out(token)).post(logout))
        .route("/admin/signed-out", get(async || pages::signed_out()))
}

/// Sends the browser to the provider.
async fn login(
    State(app): State<App>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Problem> {
    let provider = provider(&app)?;
    let Began { address, state, nonce, verifier } =
        provider.begin(callback_of(&app, &headers)?).await.map_err(|error| unreachable(&error))?;
    let begun = Begun { state, nonce, verifier, next: local(&next).to_owned() };
    let key = provider.key().await.map_err(|error| unreachable(&error))?;
    let mut response = Redirect::to(address.as_str()).into_response();
    response
        .headers_mut()
        .extend(Carried::Login.give(&key, app.is_https, &begun).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Takes the browser back, if it is the one that was sent.
async fn callback(
    State(app): State<App>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Problem> {
    let provider = provider(&app)?;
    let key = provider.key().await.map_err(|error| unreachable(&error))?;
    let again = "Sign in again: start from this browser, and finish within ten minutes";
    if let Some(error) = answer.error {
        // The code of RFC 6749; what else is said is anybody's. Nobody is signed in by it, whoever sent it.
        let error: String =
            error.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == '_').take(40).collect();
        return Err(refused(format!("the identity provider answered with the error {error}. {again}")));
    }
    let begun: Option<Begun> = Carried::Login.read(&key, app.is_https, &headers);
    let Some(begun) = begun.filter(|begun| answer.state.as_deref() == Some(begun.state.as_str())) else {
        return Err(refused(format!("this browser has not begun the login that it comes back from. {again}")));
    };
    let Some(code) = answer.code else {
        return Err(refused(format!("the identity provider's answer has no code. {again}")));
    };
    let callback = callback_of(&app, &headers)?;
    let identity = Box::pin(provider.finish(callback, code, &begun.nonce, begun.verifier)).await.map_err(|error| {
        warn!(error = %format!("{error:#}"), "a login was refused");
        refused(format!("the identity provider's answer is not accepted: {error}. {again}"))
    })?;
    let identity = user::only_needed(&app, identity);
    info!(target: "audit", user = identity.email, "signed in");
    let mut response = Redirect::to(&begun.next).into_response();
    let cookies = [Carried::Session.give(&key, app.is_https, &identity), Carried::Login.take(app.is_https)];
    append(&mut response, cookies);
    Ok(response)
}

/// Ends the session of this browser.
async fn logout(State(app): State<App>, Form(Nothing {}): Form<Nothing>) -> Response {
    let mut response = Redirect::to("/admin/signed-out").into_response();
    append(&mut response, [Carried::Session.take(app.is_https)]);
    response
}

fn append(response: &mut Response, cookies: impl IntoIterator<Item = Option<HeaderValue>>) {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn provider(app: &App) -> Result<&Arc<Provider>, Problem> {
    app.provider.as_ref().ok_or_else(|| Problem::not_found("there is no page at this address"))
}

/// Where the browser is to come back to: the host that it asked.
fn callback_of(app: &App, headers: &HeaderMap) -> Result<String, Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| Problem::bad_request("the request does not name its host"))?;
    Ok(format!("{}://{host}{CALLBACK}", if app.is_https { "https" } else { "http" }))
}

/// A page of ours, or the first one. A browser takes `//host` and `/\host` for another site.
fn local(next: &str) -> &str {
    let is_ours = next == "/admin" || next.starts_with("/admin/");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !next.contains("//");
    if is_ours && is_plain { next } else { "/admin" }
}

fn refused(detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn unreachable(error: &anyhow::Error) -> Problem {
    tracing::error!(error = %format!("{error:#}"), "nobody can sign in");
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "the identity provider cannot be used for now: try again, and if this stays look at the function's log",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpus_40_only_a_page_of_ours_is_gone_on_to() {
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
            "/admin/\r\nSet-Cookie: a=b",
            " /admin/kinds",
            "/api/v2/helm-charts",
        ] {
            assert_eq!(local(next), "/admin", "{next}");
        }
    }
}
