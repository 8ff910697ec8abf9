//! `/helm-tag-formats`: for site admins only.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use shared::db::HelmTagFormat;
use shared::tags::Preview;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::paginated::{Paginated, Paging};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::changes;
use crate::http::extract::{self, Id, Query};
use crate::http::problem::Problem;
use crate::tag_patterns;

/// Matches in a preview unless the request gives a number.
const PREVIEW_LIMIT: usize = 20;

/// Most matches in a preview.
const PREVIEW_LIMIT_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(get, delete))
}

/// A format to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewHelmTagFormat {
    /// A regular expression with groups named `version`, `revision`, `branch` or `commit`.
    #[schema(min_length = 1, max_length = 4096)]
    pattern: String,
}

/// A pattern to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewHelmTagFormat {
    /// The regular expression.
    #[schema(min_length = 1, max_length = 4096)]
    pattern: String,
    /// How many matches to show; the default is 20.
    #[schema(minimum = 0, maximum = 1000)]
    limit: Option<usize>,
}

/// Tag formats, the oldest first: the order in which they are tried
#[utoipa::path(get, path = "/helm-tag-formats", tag = "Helm Tag \
    Formats", operation_id = "allHelmTagFormats",
    params(Paging), responses((status = OK, body = Paginated<HelmTagFormat>)))]
async fn list(
    State(app): State<App>,
    _: SiteAdmin,
    Query(paging): Query<Paging>,
) -> Result<Json<Paginated<HelmTagFormat>>, Problem> {
    let page = paging.page()?;
    Ok(Json(Paginated::new(page, app.database.list_tag_formats(page).await?)))
}

/// A tag format
#[utoipa::path(get, path = "/helm-tag-formats/{id}", tag = "Helm Tag \
    Formats", operation_id = "getHelmTagFormat",
    params(("id" = Uuid, Path)),
    responses((status = OK, body = HelmTagFormat),
        (status = NOT_FOUND, body = Problem, content_type = "application/problem+json")))]
async fn get(
    State(app): State<App>,
    _: SiteAdmin,
    Id(id): Id,
) -> Result<Json<HelmTagFormat>, Problem> {
    app.database
        .get_tag_format(id)
        .await?
        .map(Json)
        .ok_or_else(|| Problem::unknown_id("helm tag format", id))
}

/// Adds a tag format after the others
///
/// The tags of all charts are then parsed again in the background.
#[utoipa::path(post, path = "/helm-tag-formats", tag = "Helm Tag \
    Formats", operation_id = "createHelmTagFormat",
    request_body = NewHelmTagFormat,
    responses((status = CREATED, body = HelmTagFormat, headers(("location" = String))),
        (status = CONFLICT, body = Problem, content_type = "application/problem+json"),
        (status = UNPROCESSABLE_ENTITY, body = Problem, content_type = "application/problem+json"),
        (status = UNSUPPORTED_MEDIA_TYPE, body = Problem, content_type =
            "application/problem+json")))]
async fn create(
    State(app): State<App>,
    admin: SiteAdmin,
    extract::Json(new): extract::Json<NewHelmTagFormat>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<HelmTagFormat>), Problem> {
    let added = changes::add_tag_format(&app, &admin, &new.pattern).await?;
    let location = format!("/api/v2/helm-tag-formats/{}", added.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(added)))
}

/// Deletes a tag format
///
/// The tags of all charts are then parsed again in the background.
#[utoipa::path(delete, path = "/helm-tag-formats/{id}", tag = "Helm Tag \
    Formats", operation_id = "deleteHelmTagFormat",
    params(("id" = Uuid, Path)),
    responses((status = NO_CONTENT),
        (status = NOT_FOUND, body = Problem, content_type = "application/problem+json")))]
async fn delete(
    State(app): State<App>,
    admin: SiteAdmin,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    changes::delete_tag_format(&app, &admin, id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Tries a pattern on the tags of all charts
///
/// Writes nothing.
#[utoipa::path(post, path = "/helm-tag-formats/preview", tag = "Helm Tag \
    Formats", operation_id = "previewHelmTagFormat",
    request_body = PreviewHelmTagFormat,
    responses((status = OK, body = Preview),
        (status = UNPROCESSABLE_ENTITY, body = Problem, content_type = "application/problem+json"),
        (status = UNSUPPORTED_MEDIA_TYPE, body = Problem, content_type =
            "application/problem+json")))]
async fn preview(
    State(app): State<App>,
    _: SiteAdmin,
    extract::Json(wanted): extract::Json<PreviewHelmTagFormat>,
) -> Result<Json<Preview>, Problem> {
    let limit = wanted.limit.unwrap_or(PREVIEW_LIMIT);
    if limit > PREVIEW_LIMIT_MAX {
        let detail = format!("limit: {limit} is more than {PREVIEW_LIMIT_MAX}");
        return Err(Problem::unprocessable("limit", detail));
    }
    let pattern = tag_patterns::check(&wanted.pattern)?;
    tag_patterns::preview(&app, &pattern, limit).await.map(Json)
}
