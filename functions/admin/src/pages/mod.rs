//! `/admin`: the pages. Each works without JavaScript.

mod addresses;
pub(crate) mod assets;
mod charts;
mod diagnose;
mod history;
mod instances;
mod kinds;
mod layout;
mod orphans;
mod owner;
mod parts;
mod place;
pub(crate) mod problems;
mod registries;
mod routes;
pub(crate) mod sign_in;
mod tag_formats;

pub(crate) use routes::{redirect_or_not_found, router};
