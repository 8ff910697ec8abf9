//! Compares everything that ECR lists with the rows in the database.

mod additions;
mod handle;
mod progress;
mod summary;
mod walk;

pub(crate) use handle::handle_backfill;
