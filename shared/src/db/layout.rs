//! Who made the four tables that other programs read too.

use super::{Database, Error};

/// Who made the tables of registries, kinds, tag formats and charts. The SQL of the program is the
/// same for both. Where the rows differ, functions in the database make the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `migrate` made them.
    Own,
    /// The Platz backend made them and uses them, and `migrate` has adopted them.
    Platz,
}

const LAYOUT: &str = "SELECT layout FROM discovery_layout";

impl Layout {
    /// Reads the column `discovery_layout.layout`, which a constraint limits to two texts.
    pub(super) fn of(layout: &str) -> Self {
        if layout == "platz" { Self::Platz } else { Self::Own }
    }
}

impl Database {
    /// Returns who made the tables.
    ///
    /// # Errors
    /// When the database cannot be asked, or has not been migrated.
    pub async fn layout(&self) -> Result<Layout, Error> {
        let what = "tell whose tables it has";
        let rows = self.query(what, LAYOUT, &[]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        let layout = row.try_get(0).map_err(|source| Error::Query { what, source })?;
        Ok(Layout::of(layout))
    }
}
