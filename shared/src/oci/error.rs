//! What can go wrong between us and a registry, and whether asking again may help.

use std::error::Error as _;
use std::fmt;

use reqwest::{Method, StatusCode};
use serde::Deserialize;

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
    /// An answer with a status that is no success.
    #[error("{method} {url} answered {status}{}", Codes(codes))]
    Status {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// Error codes of the distribution specification found in the body, `MANIFEST_UNKNOWN` for one.
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
    /// A listing whose pages lead back to one already read, or never end.
    #[error("{url} lists its pages in a circle or without end")]
    EndlessListing {
        /// The address of the listing.
        url: String,
    },
}

/// The innermost reason why a connection failed: the layers above it only say that a request failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Transport(String);

impl From<reqwest::Error> for Transport {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self(format!("no answer within {} s", super::REQUEST_DEADLINE.as_secs()));
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
    /// Whether this is content that we will never take: past a limit, or under a digest that cannot be verified.
    /// Everything else may be another answer next time.
    #[must_use]
    pub fn is_beyond_limits(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::UnverifiableDigest { .. })
    }

    /// Whether this is the one answer that means that a manifest does not exist: 404 with `MANIFEST_UNKNOWN`. A 404 of
    /// a proxy, a 401 or a 403 says nothing about the manifest.
    #[must_use]
    pub fn is_manifest_unknown(&self) -> bool {
        self.is_not_found_with("MANIFEST_UNKNOWN")
    }

    /// Whether the registry says that it has no such repository: 404 with `NAME_UNKNOWN`. Only ECR is believed.
    #[must_use]
    pub fn is_name_unknown(&self) -> bool {
        self.is_not_found_with("NAME_UNKNOWN")
    }

    fn is_not_found_with(&self, wanted: &str) -> bool {
        matches!(self, Self::Status { status, codes, .. }
            if *status == StatusCode::NOT_FOUND && codes.iter().any(|code| code == wanted))
    }
}

/// The error codes in a body, for a status that is no success. Empty for a body that is not the specification's JSON.
pub(crate) fn codes_in(body: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        code: String,
    }
    let body: Body = serde_json::from_slice(body).unwrap_or(Body { errors: Vec::new() });
    let is_code = |code: &String| code.len() <= 40 && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
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
