//! Redraws problems as pages, because the handlers of pages answer with problem documents, as those
//! of the API do.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::layout::{Section, document, sentence};
use super::{addresses, parts};
use crate::access::AccessSettings;
use crate::access::user::User;
use crate::http::problem::Problem;

/// Redraws the problem in the response of a page as a page. The `Problem` and the `User` are in
/// the extensions of the response.
pub(crate) async fn redraw(
    State(settings): State<AccessSettings>,
    request: Request,
    next: Next,
) -> Response {
    let is_page = request.uri().path().starts_with("/admin");
    // After sign-in the browser can only repeat a request that changes nothing.
    let address = request.uri().path_and_query().filter(|_| request.method().is_safe());
    let address = address.map_or("/admin", |address| address.as_str()).to_owned();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| is_page) else {
        return response;
    };
    let status = problem.status();
    let shown = match settings.provider {
        Some(_) if status == StatusCode::UNAUTHORIZED => sign_in(&address),
        _ => match response.extensions().get::<User>() {
            Some(user) => page(user, problem),
            None => page(&User::unknown(), problem),
        },
    };
    let mut page = (status, shown).into_response();
    for name in [header::ALLOW, header::WWW_AUTHENTICATE, header::SET_COOKIE] {
        page.headers_mut().extend(response.headers().get(&name).map(|value| (name, value.clone())));
    }
    page
}

/// Returns a problem as a page.
fn page(user: &User, problem: &Problem) -> Markup {
    let body = html! {
        h1 { (problem.title()) }
        p.notice.bad role="alert" { (sentence(&problem.detail)) }
        p { a href="/admin" { "Go to the start page" } }
    };
    document(user, Section::None, &format!("Error: {}", problem.title()), &body)
}

/// Returns the page that asks the user to sign in.
fn sign_in(address: &str) -> Markup {
    let body = html! {
        h1 { "Sign in" }
        p { "You are not signed in, or your session is over." }
        p { a.button href=(parts::link(addresses::LOGIN, &[("next", address)])) { "Sign in" } }
    };
    document(&User::unknown(), Section::None, "Sign in", &body)
}
