//! Which site a request comes from. Another site may not change anything through a browser that is
//! signed in here. Without a login, only a loopback host is accepted, because that stops DNS
//! rebinding.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::config::AdminAuth;

use super::settings::AccessSettings;
use crate::http::problem::Problem;

/// Refuses requests that come from other sites.
pub(crate) async fn check(
    State(settings): State<AccessSettings>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    if *settings.auth == AdminAuth::None && !is_loopback(host) {
        let detail = "without a login, these pages are only for the machine that they run on: \
                      open them at 127.0.0.1 or localhost";
        return Problem::forbidden(detail).into_response();
    }
    let scheme = if settings.is_https { "https" } else { "http" };
    if !request.method().is_safe() && is_foreign(headers, &format!("{scheme}://{host}")) {
        let detail = "the request comes from another site (its Origin is not this one) and would \
                      change something";
        return Problem::forbidden(detail).into_response();
    }
    next.run(request).await
}

/// Tells whether a page of another site makes the request.
///
/// Modern browsers send `Sec-Fetch-Site`, which no page can forge. It also works behind a proxy
/// that changes the host. Older browsers send the page's `Origin`. Other clients send neither.
fn is_foreign(headers: &HeaderMap, ours: &str) -> bool {
    let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (of("sec-fetch-site"), of(header::ORIGIN.as_str())) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => !origin.eq_ignore_ascii_case(ours),
        (None, None) => false,
    }
}

/// Tells whether a host, with or without a port, is this machine.
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
    fn request_of_another_site_is_foreign() {
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
    fn only_a_loopback_host_is_this_machine() {
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
