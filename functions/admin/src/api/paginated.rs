//! The query parameters and the response format that all lists share.

use serde::{Deserialize, Serialize};
use shared::db::{Listed, PageRequest};
use utoipa::{IntoParams, ToSchema};

use crate::http::extract;
use crate::http::problem::Problem;

/// The query of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Which page, from 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<u32>,
    /// Items on a page; the default is 50.
    #[param(minimum = 1, maximum = 100)]
    per_page: Option<u32>,
}

impl Paging {
    /// Returns the page that the query names.
    pub(super) fn page(&self) -> Result<PageRequest, Problem> {
        extract::page(self.page, self.per_page)
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Paginated<T> {
    /// Which page, from 1.
    page: u32,
    /// How many items a page has.
    per_page: u32,
    /// How many items all pages have together.
    num_total: i64,
    /// The items of this page.
    items: Vec<T>,
}

impl<T> Paginated<T> {
    pub(super) fn new(page: PageRequest, Listed { items, total }: Listed<T>) -> Self {
        Self { page: page.number, per_page: page.size, num_total: total, items }
    }
}
