//! A client for the OCI distribution specification. Each verb has its own file, and all share
//! `transport`.

mod blob;
mod error;
mod limits;
mod list;
mod manifest;
mod page_size;
mod redact;
mod transport;

pub use blob::Blob;
pub use error::{ChallengeDefect, Error, NotAList, RealmRule, Reason, Transport};
pub use limits::{MANIFEST_LIMIT, REQUEST_DEADLINE};
pub use list::{NamePage, Pages};
pub use manifest::{Descriptor, FetchedManifest, Manifest, ManifestHead};
pub use transport::{AllowedAddresses, Client, Connections, Login, RequestCounts};
