//! All SQL, and the connection it goes through. One file per thing that is asked of the database.

mod apply;
mod batch;
mod charts;
mod connection;
mod error;
mod instances;
mod load;
mod migration;
mod missing;
mod secret;
mod tag_formats;
mod url;

pub use apply::{Applied, Writer};
pub use charts::{KnownContents, KnownDigest};
pub use connection::Database;
pub use error::Error;
pub use instances::{Health, InstanceState};
pub use load::{KnownTag, KnownTags, Stored, StoredObservation};
pub use migration::Migration;
pub use missing::Population;
pub use tag_formats::{Behind, Reparsed, TagFormatsState};
pub use url::DatabaseUrl;
