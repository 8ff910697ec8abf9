//! Lists in pages, for the admin pages and the API. The rows of a page and the total cost one round
//! trip.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// The page of a list that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// The page's number, from 1.
    pub number: u32,
    /// Items per page.
    pub size: u32,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The number of items on all pages.
    pub total: i64,
}

/// The statements of a list, and how a row is read.
pub(super) struct ListQuery<T> {
    /// Completes "the database did not …".
    pub(super) what: &'static str,
    /// Selects the rows of one page. Its last two parameters are limit and offset.
    pub(super) select: &'static str,
    /// Counts the rows of all pages. Takes the other parameters.
    pub(super) count: &'static str,
    pub(super) read: fn(&Row) -> Result<T, tokio_postgres::Error>,
}

impl PageRequest {
    fn offset(self) -> i64 {
        i64::from(self.number.saturating_sub(1)) * i64::from(self.size)
    }
}

impl Database {
    /// Lists one page of the rows that a filter finds, and counts all of them.
    pub(super) async fn list<T>(
        &self,
        query: ListQuery<T>,
        filter: Parameters<'_>,
        page: PageRequest,
    ) -> Result<Listed<T>, Error> {
        let ListQuery { what, select, count, read } = query;
        let (limit, offset) = (i64::from(page.size), page.offset());
        let paged = [filter, &[(&limit, Type::INT8), (&offset, Type::INT8)]].concat();
        let statements = [(select, paged.as_slice()), (count, filter)];
        let answers = self.query_all(what, &statements).await?;
        let [rows, counts] = answers.as_slice() else { return Err(Error::NoRow { what }) };
        let count = counts.first().ok_or(Error::NoRow { what })?;
        let items = rows.iter().map(read).collect::<Result<_, _>>();
        let unreadable = |source| Error::Query { what, source };
        Ok(Listed {
            items: items.map_err(unreadable)?,
            total: count.try_get(0).map_err(unreadable)?,
        })
    }

    /// Returns the one row that a statement selects, if there is any.
    pub(super) async fn get<T>(
        &self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
        read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Option<T>, Error> {
        let rows = self.query(what, sql, parameters).await?;
        rows.first().map(read).transpose().map_err(|source| Error::Query { what, source })
    }
}

/// Returns the `LIKE` pattern of texts that begin with this one.
pub(super) fn beginning(text: &str) -> String {
    escaped(text) + "%"
}

/// Returns the `LIKE` pattern of texts that contain this one.
pub(super) fn part(text: &str) -> String {
    format!("%{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
