//! Problem documents (RFC 9457), the answer to every request that fails. `pages::problems` redraws
//! them as pages.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::db::AffectedDeployments;
use tracing::error;
use utoipa::ToSchema;
use uuid::Uuid;

/// A problem document. Its `type` is always `about:blank`, because status and detail are enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The reason, and how to correct it.
    pub(crate) detail: String,
    /// The field or parameter that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// What must be confirmed before the change is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) needs_confirmation: Option<Box<NeededConfirmation>>,
}

/// What a person must confirm, as a member of a problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NeededConfirmation {
    /// The parameter that confirms the change when the address has it: `confirm=true`.
    parameter: &'static str,
    /// The deployments that the change concerns.
    deployments: AffectedDeployments,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            needs_confirmation: None,
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Says that no row of this type has the id.
    pub(crate) fn unknown_id(what: &str, id: Uuid) -> Self {
        Self::not_found(format!("there is no {what} with the id {id}"))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not accept this method")
    }

    /// Names a field whose value cannot be accepted.
    pub(crate) fn unprocessable(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// Names a field whose value is already taken.
    pub(crate) fn conflict(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// Says that a change must be confirmed first.
    pub(crate) fn unconfirmed(detail: impl Into<String>, deployments: AffectedDeployments) -> Self {
        let needed = NeededConfirmation { parameter: "confirm=true", deployments };
        Self { needs_confirmation: Some(Box::new(needed)), ..Self::conflict("confirm", detail) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }
}

/// Logs the cause and leaves it out of the answer, because it may contain internals.
impl From<shared::db::Error> for Problem {
    fn from(error: shared::db::Error) -> Self {
        if error.is_data_error() {
            return Self::bad_request(
                "a text in the request has a character that no row can have: NUL",
            );
        }
        error!(error = %shared::telemetry::Causes(&error), "a request failed");
        if error.is_worth_waiting_for() {
            let detail = "the database does not answer for now: try again, and if this stays look \
                          at the function's log";
            Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        } else {
            Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "an unexpected database error: the function's log has the cause",
            )
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED.as_u16() {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // `pages::problems` reads the problem from here.
        response.extensions_mut().insert(self);
        response
    }
}
