//! The only reader of the environment: the settings of each function, read once at start. An
//! unusable setting stops the function there, with one line that names the variable and never
//! repeats a secret.

mod admin;
mod database;
mod database_url;
mod ecr_events;
mod environment;
mod migrate;
mod oci_poll;
mod tag_parser;

pub use admin::{Admin, AdminAuth};
pub use database::{DatabaseLogin, DatabaseSettings};
pub use database_url::DatabaseUrl;
pub use ecr_events::EcrEvents;
pub use environment::{Environment, Error};
pub use migrate::Migrate;
pub use oci_poll::OciPoll;
pub use tag_parser::TagParser;
