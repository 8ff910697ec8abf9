//! Where a request comes from. Other sites may not change anything through a browser that is signed
//! in here, and a name that somebody points at this machine does not make a page of his of ours.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::config::AdminAuth;

use super::settings::AccessSettings;
use crate::http::problem::Problem;

/// Refuses requests that other sites make.
pub(crate) async fn check(
    State(settings): State<AccessSettings>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    if *settings.auth == AdminAuth::None && !is_loopback(host) {
        let detail = "without a login this is for the machine it runs on: ask for it at 127.0.0.1 \
                      or localhost";
        return Problem::forbidden(detail).into_response();
    }
    let scheme = if settings.is_https { "https" } else { "http" };
    if !request.method().is_safe() && is_foreign(headers, &format!("{scheme}://{host}")) {
        let detail = "the request comes from another site (its Origin is not this one), and would \
                      change something";
        return Problem::forbidden(detail).into_response();
    }
    next.run(request).await
}

/// A browser of today says itself whether a page of ours is asking, and nobody can make it say so;
/// that holds behind a proxy as well, which may have changed the host. Others say where the page is
/// from. What is no browser says nothing.
fn is_foreign(headers: &HeaderMap, ours: &str) -> bool {
    let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (of("sec-fetch-site"), of(header::ORIGIN.as_str())) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => !origin.eq_ignore_ascii_case(ours),
        (None, None) => false,
    }
}

/// A host with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_from_here_or_from_no_page_may_change_something() {
        let ours = "https://abc.lambda-url.us-east-1.on.aws";
        for (name, value, foreign) in [
            ("accept", "*/*", false),
            ("origin", ours, false),
            ("origin", "https://ABC.lambda-url.us-east-1.on.aws", false),
            ("origin", "http://abc.lambda-url.us-east-1.on.aws", true),
            ("origin", "https://abc.lambda-url.us-east-1.on.aws:8443", true),
            ("origin", "https://abc.lambda-url.us-east-1.on.aws.evil.example", true),
            ("origin", "null", true),
            ("origin", "", true),
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "none", false),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "cross-site", true),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(is_foreign(&headers, ours), foreign, "{name}: {value}");
        }
    }

    #[test]
    fn a_name_that_leads_here_is_not_this_machine() {
        for host in
            ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "10.0.0.1:80", "[::2]", "[", "::1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
