//! The resources that Terraform would deploy.

mod plan;
