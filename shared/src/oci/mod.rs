//! A client for the OCI distribution specification: one file per verb, `transport` for what they share (deadlines,
//! size limits, redirects, errors).

mod blob;
mod error;
mod list;
mod manifest;
mod transport;

pub use error::{Error, Transport};
pub use list::{Page, Pages};
pub use manifest::{Descriptor, MANIFEST_LIMIT, Manifest};
pub use transport::{Client, Connections, REQUEST_DEADLINE};
