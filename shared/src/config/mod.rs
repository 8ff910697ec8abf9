//! The settings of each function. Only this module reads the environment, once at the start. If a
//! setting is unusable, the function stops there. Its error is one line that names the variable and
//! never repeats a secret.

mod admin;
mod database;
mod database_url;
mod ecr_events;
mod environment;
mod migrate;
mod oci_events;
mod oci_poll;
mod tag_parser;

pub use admin::{Admin, AdminAuth};
pub use database::{DatabaseLogin, DatabaseSettings};
pub use database_url::DatabaseUrl;
pub use ecr_events::EcrEvents;
pub use environment::{Environment, Error};
pub use migrate::Migrate;
pub use oci_events::{GoogleAccount, OciEvents, Webhook, WebhookSecret};
pub use oci_poll::OciPoll;
pub use tag_parser::TagParser;
