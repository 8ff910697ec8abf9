//! `/admin`: the pages. Each works without JavaScript.

mod addresses;
mod assets;
mod charts;
mod diagnose;
mod history;
mod instances;
mod kinds;
mod layout;
mod parts;
mod place;
mod problems;
mod registries;
mod routes;
mod sign_in;
mod tag_formats;

pub(crate) use assets::routes as assets;
pub(crate) use problems::redraw as redraw_problems;
pub(crate) use routes::{redirect_or_not_found, router};
pub(crate) use sign_in::routes as sign_in;
