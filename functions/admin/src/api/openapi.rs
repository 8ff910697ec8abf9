//! What the description of the API says beside its routes.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, RefOr, ResponseBuilder, Server};

use crate::http::problem::Problem;

/// The description, before the routes are in it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Helm chart discovery",
        description = "Registries, kinds and charts as discovery keeps them true. Lists come in \
                       pages. What goes wrong is \
                       a problem document (RFC 9457). A change needs a site admin, a JSON body \
                       where it has one, and an \
                       Origin that is this one, or none."
    ),
    components(schemas(Problem)),
    tags(
        (name = "Helm Registries", description = "Made by discovery alone, with the first chart of \
                                                  a repository."),
        (name = "Helm Charts", description = "Every chart ever seen. One that is deleted can be \
                                              had by its id."),
        (name = "Deployment Kinds", description = "What users pick."),
        (name = "Helm Tag Formats", description = "Regular expressions that take tags apart, in \
            order of creation."),
        (name = "Discovery Instances", description = "The health of discovery."),
        (name = "Diagnosis", description = "Why a chart is or is not there.")
    )
)]
pub(super) struct Document;

/// Adds what every operation may answer.
pub(super) fn finish(
    mut document: utoipa::openapi::OpenApi,
    is_https: bool,
) -> utoipa::openapi::OpenApi {
    document.servers = Some(vec![Server::new("/api/v2")]);
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            problem(operation, "400", "Something in the request cannot be read.");
            if is_https {
                problem(operation, "401", "Nobody is signed in.");
            }
            problem(
                operation,
                "403",
                "A site admin is needed, or the request comes from another site.",
            );
            if operation.request_body.is_some() {
                problem(operation, "413", "The body is too large.");
            }
            problem(operation, "500", "Something went wrong that trying again does not mend.");
            problem(operation, "503", "The database does not answer for now.");
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
