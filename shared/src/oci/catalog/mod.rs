//! Lists the repositories of a registry: by its own catalog, or by a call of its vendor's where the
//! registry has no catalog for its users. Each vendor has its own file, and all share
//! `vendor_client`.

mod access_token;
mod artifact_registry;
mod credentials;
mod docker_hub;
mod error;
mod gitea;
mod github;
mod gitlab;
mod harbor;
mod page_check;
mod paging;
mod quay;
mod repository_pages;
mod scope_pages;
mod service_account;
mod settings;
mod vendor;
mod vendor_client;
mod vendor_list;
mod vendor_page;

pub use credentials::ListingCredentials;
pub use error::{CatalogError, VendorError};
pub use repository_pages::{RepositoryCatalog, RepositoryPages};
pub use settings::{CatalogChoice, CatalogFields, CatalogSettings};
pub use vendor::Vendor;
pub use vendor_page::{ListedRepository, RepositoryPage};
