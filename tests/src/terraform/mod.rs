//! Runs Terraform, without a network: the modules that make all decisions need no provider, and
//! whole configurations get one that stands in for AWS's.

mod command;
mod configuration;
mod module;

pub use command::check_format;
pub use configuration::{AccountChange, Configuration};
pub use module::Module;
