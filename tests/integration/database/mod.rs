//! Migrations, and the rules for the rows.

mod apply;
mod kinds;
mod migrate;
mod version_order;
