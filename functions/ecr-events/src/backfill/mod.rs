//! Compares everything that ECR lists with the rows in the database.

mod walk;

pub(crate) use walk::Summary;
