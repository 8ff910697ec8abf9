//! The error of a call to an AWS service.

use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};

/// A call that failed or returned no usable answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {reason}")]
pub struct Error {
    what: String,
    reason: String,
    is_denied: bool,
}

impl Error {
    /// Makes an error. `what` completes "cannot …" and names the subject.
    pub fn new(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what: what.into(), reason: reason.into(), is_denied: false }
    }

    /// Tells whether AWS says that the role may not make the call.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.is_denied
    }

    /// Makes an error of a failed call, with the service's message, or else the innermost cause.
    /// The SDK's own text is not used, because it is a page long.
    pub fn of_call<E>(what: impl Into<String>, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(refusal) = error.as_service_error() {
            let code = refusal.code().unwrap_or("refused");
            let reason = refusal
                .message()
                .map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
            let is_denied = code.starts_with("AccessDenied");
            return Self { is_denied, ..Self::new(what, reason) };
        }
        let mut innermost: &dyn std::error::Error = error;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        Self::new(what, innermost.to_string())
    }
}
