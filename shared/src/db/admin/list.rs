//! Lists in pages: what the admin pages and the API show. Items and total are one round trip.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Which one, from 1.
    pub number: u32,
    /// How many items it has.
    pub size: u32,
}

/// What is on a page of a list.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: i64,
}

impl PageRequest {
    fn offset(self) -> i64 {
        i64::from(self.number.saturating_sub(1)) * i64::from(self.size)
    }
}

impl Database {
    /// Runs the statement of a list, whose last two parameters are limit and offset, beside the one
    /// that counts all items.
    pub(super) async fn list<T>(
        &self,
        what: &'static str,
        (list, count): (&str, &str),
        filter: Parameters<'_>,
        page: PageRequest,
        read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Listed<T>, Error> {
        let (limit, offset) = (i64::from(page.size), page.offset());
        let mut parameters = filter.to_vec();
        parameters.extend([(&limit as _, Type::INT8), (&offset as _, Type::INT8)]);
        let both = [(list, parameters.as_slice()), (count, filter)];
        let answers = match self.query_all(what, &both).await {
            Err(error) if error.is_transient() => self.query_all(what, &both).await?,
            other => other?,
        };
        let [rows, counts] = answers.as_slice() else { return Err(Error::NoRow { what }) };
        let count = counts.first().ok_or(Error::NoRow { what })?;
        let items = rows.iter().map(read).collect::<Result<_, _>>();
        let unreadable = |source| Error::Query { what, source };
        Ok(Listed {
            items: items.map_err(unreadable)?,
            total: count.try_get(0).map_err(unreadable)?,
        })
    }

    /// Runs the statement of a single row, which there may be or not.
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

/// A text as the beginning of what `LIKE` finds.
pub(super) fn beginning(text: &str) -> String {
    escaped(text) + "%"
}

/// A text as a part of what `LIKE` finds.
pub(super) fn part(text: &str) -> String {
    format!("%{}%", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
