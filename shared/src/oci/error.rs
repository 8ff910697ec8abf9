//! The faults of a request to a registry, and whether a retry may help.

use std::error::Error as _;
use std::fmt;

use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::limits::{CONNECT_DEADLINE, REQUEST_DEADLINE};
use super::redact::redacted;

/// The reason why a request brought no usable answer. URLs are kept without their query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client could not be built.
    #[error("cannot make an HTTP client")]
    Client(#[source] Transport),
    /// No complete answer arrived. The name was not resolved, the connection failed, or the
    /// deadline passed.
    #[error("{method} {url} gave no answer")]
    NoAnswer {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The reason for the failure.
        source: Transport,
    },
    /// No complete answer arrived within a request's time limit. Not transient, because a retry
    /// would take as long.
    #[error("{method} {url} gave no complete answer within {} s", REQUEST_DEADLINE.as_secs())]
    TimedOut {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
    },
    /// The registry redirects to an address that the client refuses.
    #[error("{url} is not followed: {reason}")]
    AddressRefused {
        /// The address to which the registry redirects.
        url: String,
        /// The reason, and the remedy.
        reason: String,
    },
    /// The registry redirected the request more often than any registry needs.
    #[error("{url} is not followed: too many redirects")]
    TooManyRedirects {
        /// The address of the last redirect.
        url: String,
    },
    /// The realm is on another host than the registry, so the client does not send the password
    /// there.
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
    /// The realm's answer contains no token.
    #[error("{url} answered without a token")]
    NoToken {
        /// The realm.
        url: String,
    },
    /// The lookup panicked, which is a bug in this program.
    #[error("looking it up panicked: please report this with the log")]
    Panicked,
    /// ECR did not provide a login.
    #[error(transparent)]
    Login(#[from] crate::aws::Error),
    /// `Retry-After` is later than the deadline of this invocation.
    #[error("{host} asks to be left alone for now (Retry-After)")]
    AskedToWait {
        /// The registry.
        host: String,
    },
    /// The answer has a status that means failure.
    #[error("{method} {url} answered {status}{}", Codes(codes))]
    Status {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// The error codes in the body, such as `MANIFEST_UNKNOWN` (distribution specification,
        /// section "Error Codes").
        codes: Vec<String>,
    },
    /// The body is longer than the limit.
    #[error("{url} answered with more than {limit} bytes")]
    TooLarge {
        /// The request's address.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer is a success, but its body is not the expected JSON.
    #[error("{url} did not answer with the JSON of the distribution specification")]
    Malformed {
        /// The request's address.
        url: String,
        /// The reason, with the place in the body.
        source: serde_json::Error,
    },
    /// The digest does not match the bytes.
    #[error("{url} answered with bytes of digest {computed} and called them {claimed}")]
    DigestMismatch {
        /// The request's address.
        url: String,
        /// The requested digest, or the one in `Docker-Content-Digest`.
        claimed: String,
        /// The sha256 digest of the body.
        computed: String,
    },
    /// The client does not support the algorithm of the digest.
    #[error("{url} answered with a digest that cannot be verified")]
    UnverifiableDigest {
        /// The request's address.
        url: String,
        /// The reason.
        source: crate::domain::Invalid,
    },
    /// The listing's link to its next page cannot be read.
    #[error("{url} names a next page that cannot be read")]
    UnreadableLink {
        /// The address of the listing.
        url: String,
    },
    /// The listing has more names than the limit.
    #[error("{url} lists more than {limit} names")]
    TooManyNames {
        /// The address of the listing.
        url: String,
        /// The limit, in names.
        limit: usize,
    },
    /// The pages of the listing lead back to an earlier page, or do not end.
    #[error("{url} lists its pages in a circle or without end")]
    EndlessListing {
        /// The address of the listing.
        url: String,
    },
}

/// The innermost reason why a connection failed. The outer errors only say that a request failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Transport(String);

/// The reason why the client must not connect to a name. The client's error carries it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

impl From<reqwest::Error> for Transport {
    fn from(error: reqwest::Error) -> Self {
        // Only the connection has a timeout of its own, so a timeout here comes from the
        // connection.
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
    /// Makes the error of a request without an answer, or of a name that the resolver refused.
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

    /// Returns whether a GET request may succeed although this HEAD request failed. A HEAD answer
    /// has no body with an error code. The registry may also not offer HEAD, or send a digest in
    /// the header that the client cannot verify.
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

    /// Returns whether the registry has no catalog, or refuses it to this client.
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

    /// Returns whether the client will never accept this content: it exceeds a limit, or its digest
    /// cannot be verified. Every other request may have another answer later.
    #[must_use]
    pub fn is_beyond_limits(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::UnverifiableDigest { .. })
    }

    /// Returns whether the manifest does not exist. Only a 404 with `MANIFEST_UNKNOWN` says so. A
    /// proxy's 404, a 401 or a 403 says nothing about the manifest.
    #[must_use]
    pub fn is_manifest_unknown(&self) -> bool {
        self.is_not_found_with("MANIFEST_UNKNOWN")
    }

    /// Returns whether the answer is a 404 with any error code.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::NOT_FOUND, .. })
    }

    /// Returns whether the registry refuses a saved position in a listing. Some registries do so
    /// after the name at that position was deleted.
    #[must_use]
    pub fn is_position_refused(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, .. })
    }

    /// Returns whether the registry says that it does not know the repository: 404 with
    /// `NAME_UNKNOWN`. The client believes only ECR.
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

/// Returns the error codes in the body of an error response. Empty if the body is not the JSON that
/// the distribution specification defines.
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
    fn only_transient_errors_are_retried() {
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
    fn only_permanent_defects_of_content_are_beyond_limits() {
        for code in [401, 403, 404, 408, 429, 500, 503] {
            assert!(!status(code, "").is_beyond_limits(), "{code}");
        }
        assert!(Error::TooLarge { url: String::new(), limit: 1 }.is_beyond_limits());
        let source = "md5:0".parse::<crate::domain::Digest>().unwrap_err();
        assert!(Error::UnverifiableDigest { url: String::new(), source }.is_beyond_limits());
    }

    #[test]
    fn message_has_status_and_code_but_no_hostile_text() {
        let error = status(404, r#"{"errors":[{"code":"NAME_UNKNOWN"},{"code":"<script>"}]}"#);
        let message = "GET http://registry/v2/a/manifests/1 answered 404 Not Found (NAME_UNKNOWN)";
        assert_eq!(error.to_string(), message);
    }
}
