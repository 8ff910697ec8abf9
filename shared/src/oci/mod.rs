//! A client for the OCI distribution specification: one file per verb, `transport` for what they
//! share, with `auth` (logins and tokens), `address` (where we may be sent) and `pace` (how fast we
//! ask).

mod address;
mod auth;
mod blob;
mod error;
mod list;
mod manifest;
mod pace;
mod transport;

pub use address::AllowedAddresses;
pub use auth::Login;
pub use blob::Blob;
pub use error::{Error, Transport};
pub use list::{Page, Pages};
pub use manifest::{Descriptor, MANIFEST_LIMIT, Manifest};
pub use pace::Asked;
pub use transport::{Client, Connections, REQUEST_DEADLINE};
