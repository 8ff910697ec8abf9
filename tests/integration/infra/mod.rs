//! What Terraform would deploy.

mod plan;
