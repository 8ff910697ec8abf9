//! The AWS services that more than one function calls: secrets, and the login to ECR.

mod config;
mod ecr_login;
mod error;
mod secret;

pub use config::config;
pub use ecr_login::EcrLogin;
pub use error::Error;
pub use secret::read_secret;
