//! The resources that Terraform would deploy.

mod apply;
mod installations;
mod mistakes;
mod options;
mod plan;
mod release;
mod rights;
mod smoke;
mod takeover;
