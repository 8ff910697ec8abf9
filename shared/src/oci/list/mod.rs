//! Reads `GET /v2/_catalog` and `GET /v2/<name>/tags/list` page by page (distribution
//! specification, section "Content Discovery").

mod link;
mod names;
mod next_page;
mod pages;

pub(in crate::oci) use link::{Unreadable, next_query};
pub use pages::{NamePage, Pages};
