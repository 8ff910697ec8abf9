//! The shape of every list.

use serde::Serialize;
use shared::db::{Listed, Page};
use utoipa::ToSchema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Paginated<T> {
    /// Which page, from 1.
    page: u32,
    /// How many items a page has.
    per_page: u32,
    /// How many items there are on all pages.
    num_total: i64,
    /// The items of this page.
    items: Vec<T>,
}

impl<T> Paginated<T> {
    pub(super) fn new(page: Page, Listed { items, total }: Listed<T>) -> Self {
        Self { page: page.number, per_page: page.size, num_total: total, items }
    }
}
