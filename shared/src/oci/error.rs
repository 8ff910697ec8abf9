//! The faults of a request to a registry, and whether a retry may help.

use std::error::Error as _;
use std::fmt;

use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::limits::{CONNECT_DEADLINE, REQUEST_DEADLINE};
use super::redact::redacted;

/// A request to a registry that brought no usable answer. URLs are kept without their query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No HTTP client could be made.
    #[error("cannot make an HTTP client")]
    Client(#[source] Transport),
    /// No complete answer: name not resolved, connection refused or cut, deadline passed.
    #[error("{method} {url} brought no answer")]
    NoAnswer {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// What the connection met.
        source: Transport,
    },
    /// No complete answer in the time that a request has. Asking again would take as long.
    #[error("{method} {url} brought no complete answer within {} s", REQUEST_DEADLINE.as_secs())]
    TimedOut {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
    },
    /// The registry redirects to an address that the client refuses.
    #[error("{url} is not followed: {reason}")]
    AddressRefused {
        /// Where it sends us.
        url: String,
        /// Why not, and what to do about it.
        reason: String,
    },
    /// More redirects than any registry needs.
    #[error("{url} is not followed: too many redirects")]
    TooManyRedirects {
        /// The last one.
        url: String,
    },
    /// The realm is not on the registry's own host, so the client does not send the password there.
    #[error(
        "the registry wants the password sent to {url}; \
         if that is right, add {host} to ALLOWED_ADDRESSES"
    )]
    ForeignRealm {
        /// The realm.
        url: String,
        /// Its host.
        host: String,
    },
    /// An answer of a realm that holds no token.
    #[error("{url} answered without a token")]
    NoToken {
        /// The realm.
        url: String,
    },
    /// A fault of our own.
    #[error("looking it up panicked: please report this with the log")]
    Panicked,
    /// ECR gives no login.
    #[error(transparent)]
    Login(#[from] crate::aws::Error),
    /// `Retry-After` is later than the deadline of this invocation.
    #[error("{host} asks to be left alone for now (Retry-After)")]
    AskedToWait {
        /// The registry.
        host: String,
    },
    /// An answer with a status that is no success.
    #[error("{method} {url} answered {status}{}", Codes(codes))]
    Status {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// Error codes of the distribution specification found in the body, `MANIFEST_UNKNOWN` for
        /// one.
        codes: Vec<String>,
    },
    /// A body longer than we are willing to hold.
    #[error("{url} answered with more than {limit} bytes")]
    TooLarge {
        /// The request's address.
        url: String,
        /// The limit it went past.
        limit: usize,
    },
    /// A successful answer whose body is something else.
    #[error("{url} did not answer with the JSON of the distribution specification")]
    Malformed {
        /// The request's address.
        url: String,
        /// Where parsing stopped.
        source: serde_json::Error,
    },
    /// A digest that does not belong to the bytes it came with.
    #[error("{url} answered with bytes of digest {computed} and called them {claimed}")]
    DigestMismatch {
        /// The request's address.
        url: String,
        /// The digest asked for or named in `Docker-Content-Digest`.
        claimed: String,
        /// The sha256 digest of the body.
        computed: String,
    },
    /// A digest in an algorithm that we cannot verify.
    #[error("{url} answered with a digest that cannot be verified")]
    UnverifiableDigest {
        /// The request's address.
        url: String,
        /// What is wrong with it.
        source: crate::domain::Invalid,
    },
    /// A listing with an unreadable link to its next page.
    #[error("{url} names a next page that cannot be read")]
    UnreadableLink {
        /// The address of the listing.
        url: String,
    },
    /// A listing longer than we are willing to hold.
    #[error("{url} lists more than {limit} names")]
    TooManyNames {
        /// The address of the listing.
        url: String,
        /// The limit it went past.
        limit: usize,
    },
    /// A listing whose pages lead back to one already read, or never end.
    #[error("{url} lists its pages in a circle or without end")]
    EndlessListing {
        /// The address of the listing.
        url: String,
    },
}

/// The innermost reason why a connection failed: the layers above it only say that a request
/// failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Transport(String);

/// Why a name may not be connected to. The client's error carries it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

impl From<reqwest::Error> for Transport {
    fn from(error: reqwest::Error) -> Self {
        // Only the connection has a time of its own.
        if error.is_timeout() {
            return Self(format!("no connection within {} s", CONNECT_DEADLINE.as_secs()));
        }
        let error = error.without_url();
        let mut cause = error.source();
        let mut innermost = error.to_string();
        while let Some(inner) = cause {
            innermost = inner.to_string();
            cause = inner.source();
        }
        Self(innermost)
    }
}

impl Error {
    /// A request that brought no answer, or that was refused when the name in it was resolved.
    pub(super) fn no_answer(method: Method, url: &Url, error: reqwest::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(Refusal(reason)) = inner.downcast_ref() {
                return Self::AddressRefused { url: redacted(url), reason: reason.clone() };
            }
            cause = inner.source();
        }
        Self::NoAnswer { method, url: redacted(url), source: error.into() }
    }

    /// Returns whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoAnswer { .. })
            || matches!(self.status(), Some(408 | 425 | 429 | 500 | 502 | 503 | 504))
    }

    /// Returns whether a HEAD request was answered in a way that a GET request may not be: there
    /// was no body to tell why, or the method is not offered, or the digest in the header cannot be
    /// taken.
    #[must_use]
    pub fn is_of_head_only(&self) -> bool {
        matches!(self.status(), Some(400 | 404 | 405 | 501))
            || matches!(self, Self::UnverifiableDigest { .. })
    }

    /// Returns whether the registry accepts no request for the rest of the invocation.
    #[must_use]
    pub fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::AskedToWait { .. })
    }

    /// Returns whether the answer concerns this content, rather than a transient fault. The content
    /// is missing, refused or different.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Status { status, .. } => status.is_client_error() && !self.is_transient(),
            Self::TooLarge { .. }
            | Self::DigestMismatch { .. }
            | Self::AddressRefused { .. }
            | Self::TooManyRedirects { .. } => true,
            _ => false,
        }
    }

    /// Returns whether the registry has no catalog, or none for us.
    #[must_use]
    pub fn is_catalog_refused(&self) -> bool {
        matches!(self.status(), Some(401 | 403 | 404 | 405))
    }

    /// Returns whether the registry or its realm refuses the credentials.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
            || matches!(self, Self::ForeignRealm { .. } | Self::NoToken { .. } | Self::Login(_))
    }

    /// Returns whether the registry throttles the client.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(
            self,
            Self::AskedToWait { .. } | Self::Status { status: StatusCode::TOO_MANY_REQUESTS, .. }
        )
    }

    /// Returns whether the registry cannot be reached for now, whatever the request is.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Client(_)
            | Self::TimedOut { .. }
            | Self::AddressRefused { .. }
            | Self::TooManyRedirects { .. } => true,
            _ => self.is_transient() || self.is_throttled(),
        }
    }

    /// Returns whether this is content that we will never take: past a limit, or under a digest
    /// that cannot be verified. Everything else may be another answer next time.
    #[must_use]
    pub fn is_beyond_limits(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::UnverifiableDigest { .. })
    }

    /// Returns whether this is the one answer that means that a manifest does not exist: 404 with
    /// `MANIFEST_UNKNOWN`. A 404 of a proxy, a 401 or a 403 says nothing about the manifest.
    #[must_use]
    pub fn is_manifest_unknown(&self) -> bool {
        self.is_not_found_with("MANIFEST_UNKNOWN")
    }

    /// Returns whether the answer was 404, for whatever reason.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::NOT_FOUND, .. })
    }

    /// Returns whether a saved position in a listing is refused: some registries do when the name
    /// it stands for is gone.
    #[must_use]
    pub fn is_position_refused(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, .. })
    }

    /// Returns whether the registry says that it has no such repository: 404 with `NAME_UNKNOWN`.
    /// Only ECR is believed.
    #[must_use]
    pub fn is_name_unknown(&self) -> bool {
        self.is_not_found_with("NAME_UNKNOWN")
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(status.as_u16()),
            _ => None,
        }
    }

    fn is_not_found_with(&self, wanted: &str) -> bool {
        matches!(self, Self::Status { status, codes, .. }
            if *status == StatusCode::NOT_FOUND && codes.iter().any(|code| code == wanted))
    }
}

/// The error codes in a body, for a status that is no success. Empty for a body that is not the
/// specification's JSON.
pub(crate) fn codes_in(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct ErrorBody {
        errors: Vec<ErrorEntry>,
    }
    #[derive(Deserialize)]
    struct ErrorEntry {
        code: String,
    }
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or(ErrorBody { errors: Vec::new() });
    let is_code = |code: &String| {
        code.len() <= 40 && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    };
    body.errors.into_iter().map(|entry| entry.code).filter(is_code).take(4).collect()
}

struct Codes<'a>(&'a [String]);

impl fmt::Display for Codes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> Error {
        Error::Status {
            method: Method::GET,
            url: "http://registry/v2/a/manifests/1".to_owned(),
            status: StatusCode::from_u16(status).unwrap_or_default(),
            codes: codes_in(body.as_bytes()),
        }
    }

    #[test]
    fn only_404_with_manifest_unknown_means_absent() {
        let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"x","detail":{"a":1}}]}"#;
        let table = [
            (404, unknown, true),
            (404, "", false),
            (404, "<html>not found</html>", false),
            (404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#, false),
            (401, unknown, false),
            (403, unknown, false),
            (429, unknown, false),
            (500, unknown, false),
        ];
        for (code, body, absent) in table {
            assert_eq!(status(code, body).is_manifest_unknown(), absent, "{code} {body}");
        }
    }

    #[test]
    fn only_what_may_pass_by_itself_is_tried_again() {
        for code in [408, 429, 500, 502, 503, 504] {
            assert!(status(code, "").is_transient(), "{code}");
        }
        for code in [400, 401, 403, 404, 405, 416, 501] {
            assert!(!status(code, "").is_transient(), "{code}");
        }
        let url = String::new;
        assert!(!Error::TimedOut { method: Method::GET, url: url() }.is_transient());
        assert!(!Error::AskedToWait { host: url() }.is_transient());
        assert!(!Error::AddressRefused { url: url(), reason: url() }.is_transient());
        assert!(
            Error::NoAnswer { method: Method::GET, url: url(), source: Transport(url()) }
                .is_transient()
        );
    }

    #[test]
    fn only_content_that_stays_as_it_is_is_beyond_limits() {
        for code in [401, 403, 404, 408, 429, 500, 503] {
            assert!(!status(code, "").is_beyond_limits(), "{code}");
        }
        assert!(Error::TooLarge { url: String::new(), limit: 1 }.is_beyond_limits());
        let source = "md5:0".parse::<crate::domain::Digest>().unwrap_err();
        assert!(Error::UnverifiableDigest { url: String::new(), source }.is_beyond_limits());
    }

    #[test]
    fn message_names_status_and_code_and_nothing_hostile() {
        let error = status(404, r#"{"errors":[{"code":"NAME_UNKNOWN"},{"code":"<script>"}]}"#);
        let message = "GET http://registry/v2/a/manifests/1 answered 404 Not Found (NAME_UNKNOWN)";
        assert_eq!(error.to_string(), message);
    }
}
