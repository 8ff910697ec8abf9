//! Migrations, and the rules for the rows.

mod apply;
mod kinds;
mod marks;
mod migrate;
mod rights;
mod version_order;
