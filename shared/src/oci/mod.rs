//! A client for the OCI distribution specification. Each verb has its own file, and all share
//! `transport`. `catalog` lists repositories also where only the registry's vendor lists them.

mod blob;
mod catalog;
mod error;
mod limits;
mod list;
mod manifest;
mod page_size;
mod redact;
mod transport;

pub use blob::Blob;
pub use catalog::{
    CatalogChoice, CatalogError, CatalogFields, CatalogSettings, ListedRepository,
    ListingCredentials, RepositoryCatalog, RepositoryPage, RepositoryPages, Vendor, VendorError,
};
pub use error::{ChallengeDefect, Error, NotAList, RealmRule, Reason, Transport};
pub use limits::{CLOSED_MAX, MANIFEST_LIMIT, REQUEST_DEADLINE};
pub use list::{NamePage, Pages};
pub use manifest::{Descriptor, FetchedManifest, Manifest, ManifestHead};
pub use transport::{AllowedAddresses, Client, Connections, Login, RequestCounts};
