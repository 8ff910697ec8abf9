//! Answers what a fault means: whether a retry may help, and what it is about.

use std::error::Error as _;

use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;

use super::kinds::Error;
use super::reason::{Reason, Refusal};
use crate::oci::redact::redacted;

impl Error {
    /// Makes the error of a request without an answer, or of a name that the resolver refused.
    pub(in crate::oci) fn no_answer(method: Method, url: &Url, error: reqwest::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(Refusal(reason)) = inner.downcast_ref() {
                return Self::AddressRefused { url: redacted(url), reason: reason.clone() };
            }
            cause = inner.source();
        }
        Self::NoAnswer { method, url: redacted(url), source: error.into() }
    }

    /// Makes the error of an answer that is no success.
    pub(in crate::oci) fn status(
        method: &Method,
        url: &Url,
        status: StatusCode,
        body: &[u8],
    ) -> Self {
        let codes = codes_in(body);
        Self::Status { method: method.clone(), url: redacted(url), status, codes, reason: None }
    }

    /// Adds the reason to the answer's error, unless there is one.
    pub(in crate::oci) fn because(mut self, because: Reason) -> Self {
        match &mut self {
            Self::Status { reason, .. } => {
                reason.get_or_insert(because);
                self
            }
            Self::Realm { url, source } => {
                let source = std::mem::replace(&mut **source, Self::Panicked).because(because);
                Self::Realm { url: std::mem::take(url), source: Box::new(source) }
            }
            _ => self,
        }
    }

    /// Returns the error of the realm's answer if the realm is at fault, and else the error itself.
    #[must_use]
    pub fn at_fault(&self) -> &Self {
        match self {
            Self::Realm { source, .. } => source.at_fault(),
            other => other,
        }
    }

    /// Returns whether the registry or its realm answered 401 or 403.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.at_fault().code(), Some(401 | 403))
    }

    /// Returns why the registry or its realm refused the request, if the client knows it.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self.at_fault() {
            Self::Status { reason, .. } => reason.as_ref(),
            _ => None,
        }
    }

    /// Returns whether the credentials themselves are wrong, so that every request fails.
    #[must_use]
    pub fn is_credentials_refused(&self) -> bool {
        matches!(self, Self::CredentialsRefused { .. })
    }

    /// Returns whether the answer has no error code, so that it may not come from a registry.
    pub(in crate::oci) fn is_without_codes(&self) -> bool {
        matches!(self, Self::Status { codes, .. } if codes.is_empty())
    }

    /// Returns whether the registry refuses the number of names per page.
    pub(in crate::oci) fn is_page_size_refused(&self) -> bool {
        matches!(self.code(), Some(413 | 422))
            || matches!(self, Self::Status { status: StatusCode::BAD_REQUEST, codes, .. }
                if codes.iter().any(|code| code == "PAGINATION_NUMBER_INVALID"))
    }

    /// Returns whether the same request may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let cause = self.at_fault();
        matches!(cause, Self::NoAnswer { .. })
            || matches!(cause.code(), Some(408 | 425 | 429 | 500 | 502 | 503 | 504))
    }

    /// Returns whether a GET request may succeed although this HEAD request failed. A HEAD answer
    /// has no body with an error code. The registry may also not offer HEAD, or send a digest in
    /// the header that the client cannot verify.
    #[must_use]
    pub fn is_of_head_only(&self) -> bool {
        matches!(self.code(), Some(400 | 404 | 405 | 501))
            || matches!(self, Self::UnverifiableDigest { .. })
    }

    /// Returns whether the registry accepts no request for the rest of the invocation.
    #[must_use]
    pub fn is_asked_to_wait(&self) -> bool {
        matches!(self, Self::AskedToWait { .. })
    }

    /// Returns whether the client sent no request, because the repository gave no answer before.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        matches!(self, Self::Stalled { .. })
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
        self.is_denied() || matches!(self.code(), Some(404 | 405))
    }

    /// Returns whether the registry or its realm refuses the credentials.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_denied()
            || matches!(
                self.at_fault(),
                Self::RealmRefused { .. }
                    | Self::CredentialsRefused { .. }
                    | Self::NoToken { .. }
                    | Self::Login(_)
            )
    }

    /// Returns whether the registry throttles the client.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        matches!(
            self.at_fault(),
            Self::AskedToWait { .. } | Self::Status { status: StatusCode::TOO_MANY_REQUESTS, .. }
        )
    }

    /// Returns whether the registry cannot be reached for now, whatever the request is.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self.at_fault() {
            Self::Client(_)
            | Self::TimedOut { .. }
            | Self::Stalled { .. }
            | Self::AnswersOnHttps { .. }
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

    /// Returns whether the answer to a listing says that the repository does not exist: 404 with
    /// `NAME_UNKNOWN`, or with Harbor's `NOT_FOUND`. The client believes only ECR.
    #[must_use]
    pub fn is_repository_unknown(&self) -> bool {
        self.is_name_unknown() || self.is_not_found_with("NOT_FOUND")
    }

    fn code(&self) -> Option<u16> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oci::error::Transport;

    fn status(status: u16, body: &str) -> Error {
        Error::Status {
            method: Method::GET,
            url: "http://registry/v2/a/manifests/1".to_owned(),
            status: StatusCode::from_u16(status).unwrap_or_default(),
            codes: codes_in(body.as_bytes()),
            reason: None,
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
        assert!(
            !Error::TimedOut { method: Method::GET, url: url(), limit: Duration::ZERO }
                .is_transient()
        );
        let until = time::OffsetDateTime::UNIX_EPOCH;
        assert!(!Error::AskedToWait { host: url(), until }.is_transient());
        assert!(!Error::Stalled { repository: url() }.is_transient());
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
