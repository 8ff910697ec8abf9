//! The AWS services that the functions call, but for DynamoDB: secrets, the login to ECR, and what ECR lists.

mod config;
mod ecr_catalog;
mod ecr_login;
mod error;
mod secret;

pub use config::config;
pub use ecr_catalog::{EcrCatalog, Images, ListedTag};
pub use ecr_login::EcrLogin;
pub use error::Error;
pub use secret::read_secret;
