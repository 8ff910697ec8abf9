//! `/api/v2`: the API for programs. Names and the shape of lists are those of the predecessor.

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
