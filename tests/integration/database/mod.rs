//! Migrations, and the rules that the rows obey.

mod apply;
mod kinds;
mod migrate;
mod version_order;
