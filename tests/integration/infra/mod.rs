//! What Terraform would deploy, held against the functions it is for.

mod plan;
