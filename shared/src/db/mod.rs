//! All SQL, and the connection it goes through. One file per thing that is asked of the database.

mod apply;
mod batch;
mod charts;
mod connection;
mod error;
mod load;
mod migration;
mod secret;
mod url;

pub use apply::Applied;
pub use connection::Database;
pub use error::Error;
pub use load::{Stored, StoredObservation};
pub use migration::Migration;
pub use url::DatabaseUrl;
