//! `/api/v2`: what programs ask for, in the predecessor's names and page shape.

mod charts;
mod diagnose;
mod instances;
mod kinds;
mod large;
mod openapi;
mod paginated;
mod registries;
mod routes;
mod tag_formats;

pub(crate) use routes::router;
