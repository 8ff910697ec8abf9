//! Clients of AWS services, except DynamoDB: secrets, credentials for ECR and RDS, and the
//! listings of ECR.

mod config;
mod database_token;
mod ecr_catalog;
mod ecr_login;
mod error;
mod secret;

pub use config::config;
pub use database_token::database_token;
pub use ecr_catalog::{EcrCatalog, Images, ListedTag};
pub use ecr_login::EcrLogin;
pub use error::Error;
pub use secret::read_secret;
