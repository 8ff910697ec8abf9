//! What a client knows about its credentials.

use std::sync::Arc;

use reqwest::StatusCode;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Duration, Instant};

use crate::oci::error::Error;

/// The time for which the result of a check is remembered.
const REMEMBERED: Duration = Duration::from_mins(1);

/// What is known about the credentials of a client.
#[derive(Debug, Default)]
pub(super) struct CredentialCheck {
    /// Set after the challenge of the registry's base address was read.
    pub(super) begun: OnceCell<()>,
    /// The last check of the credentials on their own.
    pub(super) checked: Mutex<Option<CheckedCredentials>>,
}

/// The result of a check.
#[derive(Debug)]
pub(super) struct CheckedCredentials {
    at: Instant,
    /// The answer that refused the credentials, or `None` if they were accepted.
    pub(super) refused: Option<Arc<Refused>>,
}

/// The answer that refused the credentials.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) codes: Vec<String>,
}

impl CheckedCredentials {
    pub(super) fn now(refused: Option<Arc<Refused>>) -> Self {
        Self { at: Instant::now(), refused }
    }

    pub(super) fn is_recent(&self) -> bool {
        self.at.elapsed() < REMEMBERED
    }
}

impl Refused {
    /// Returns the answer, if it is the refusal of credentials.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error.at_fault() {
            Error::Status { url, status, codes, .. } if error.is_denied() => {
                Some(Self { url: url.clone(), status: *status, codes: codes.clone() })
            }
            _ => None,
        }
    }
}
