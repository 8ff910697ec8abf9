//! The parts of the API description that are not written beside the routes.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, RefOr, ResponseBuilder, Server};

use crate::http::problem::Problem;

/// The description without the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Helm chart discovery",
        description = "Registries, kinds and charts, as discovery keeps them up to date. Lists \
                       come \
                       in pages. Every error is a problem document (RFC 9457). A change needs a \
                       site admin. Its body, if any, is JSON, and its Origin, if any, is this site."
    ),
    components(schemas(Problem)),
    tags(
        (name = "Helm Registries", description = "Only discovery makes them, with the first chart \
                                                  of \
                                                  a repository."),
        (name = "Helm Charts", description = "Every chart ever seen. A deleted chart can be \
                                              read by its id."),
        (name = "Deployment Kinds", description = "The things that users can deploy."),
        (name = "Helm Tag Formats", description = "Regular expressions that parse tags, in \
            the order in which they are tried."),
        (name = "Discovery Instances", description = "The health of discovery."),
        (name = "Diagnosis", description = "Why a chart is or is not there.")
    )
)]
pub(super) struct Document;

/// Adds the answers that every operation may give.
pub(super) fn finish(
    mut document: utoipa::openapi::OpenApi,
    is_https: bool,
) -> utoipa::openapi::OpenApi {
    document.servers = Some(vec![Server::new("/api/v2")]);
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            problem(operation, "400", "The request cannot be read.");
            if is_https {
                problem(operation, "401", "The request has no user: sign in.");
            }
            problem(
                operation,
                "403",
                "The user is not a site admin, or the request comes from another site.",
            );
            if operation.request_body.is_some() {
                problem(operation, "413", "The body is too large.");
            }
            problem(operation, "500", "The request failed. A retry does not help: see the log.");
            problem(operation, "503", "The database does not answer for now: retry.");
        }
    }
    document
}

fn problem(operation: &mut Operation, status: &str, description: &str) {
    let content = ContentBuilder::new()
        .schema(Some(utoipa::openapi::Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}
