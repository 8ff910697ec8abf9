//! Extractors for the path, the query and the JSON body; forms are in `access/csrf.rs`. Each
//! answers a wrong value with a problem document.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::http::problem::Problem;

/// Items on a page unless the request gives a number.
const PER_PAGE: u32 = 50;

/// Most items on a page.
pub(crate) const PER_PAGE_MAX: u32 = 100;

/// Highest page number that is accepted.
const PAGE_MAX: u32 = 1_000_000;

/// The id in a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) Uuid);

/// The query.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<Uuid>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id))
            .map_err(|_| Problem::bad_request("the id in the address is not a UUID"))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        let refused =
            |rejection: QueryRejection| Problem::bad_request(reason(&rejection.body_text()));
        query.map(|axum::extract::Query(query)| Self(query)).map_err(refused)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // An object is read first, because serde would also fill a struct from a list.
        let object =
            axum::Json::<serde_json::Map<String, serde_json::Value>>::from_request(request, state)
                .await;
        let axum::Json(object) = object.map_err(|rejection| match rejection {
            JsonRejection::MissingJsonContentType(_) => {
                let detail = "the body must be JSON, and its Content-Type application/json";
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            }
            JsonRejection::JsonDataError(_) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the body must be a JSON object")
            }
            other => Problem::new(other.status(), reason(&other.body_text())),
        })?;
        let value = serde_path_to_error::deserialize(serde_json::Value::Object(object));
        value
            .map(Self)
            .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
    }
}

/// Removes the prefix that axum puts before the reason.
fn reason(text: &str) -> &str {
    text.strip_prefix("Failed to deserialize query string: ")
        .or_else(|| text.strip_prefix("Failed to parse the request body as JSON: "))
        .unwrap_or(text)
}

/// Returns the page that a request wants.
///
/// # Errors
/// A number is out of range.
pub(crate) fn page(
    number: Option<u32>,
    size: Option<u32>,
) -> Result<shared::db::PageRequest, Problem> {
    let (number, size) = (number.unwrap_or(1), size.unwrap_or(PER_PAGE));
    if number == 0 || number > PAGE_MAX {
        return Err(Problem::bad_request(format!(
            "page is {number}; it may be from 1 to {PAGE_MAX}"
        )));
    }
    if size == 0 || size > PER_PAGE_MAX {
        return Err(Problem::bad_request(format!(
            "per_page is {size}; it may be from 1 to {PER_PAGE_MAX}"
        )));
    }
    Ok(shared::db::PageRequest { number, size })
}
