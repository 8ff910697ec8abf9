//! The resources that Terraform would deploy.

mod apply;
mod mistakes;
mod plan;
