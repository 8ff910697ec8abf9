//! Walks over stored references in a fixed order, page by page, so that a walk can be interrupted
//! and resumed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Reference, Registry, Selection, Subject, Tag};

/// The references of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkOver {
    /// Tags that resolved to a manifest, chart or not.
    Known,
    /// Tags that are held back as missing.
    HeldBack,
}

/// A place in a walk: everything up to this reference is done. The default is the beginning.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkPlace {
    /// The repository's name.
    pub repository: String,
    /// The tag's name.
    pub tag: String,
}

/// Some references of a walk.
#[derive(Debug)]
pub struct WalkPage {
    /// The references that the selection has.
    pub subjects: Vec<Subject>,
    /// The place behind the page.
    pub end: WalkPlace,
}

/// References without a colon are tags. Every digest contains a colon.
macro_rules! walk {
    ($select:literal, $condition:literal, $end:literal) => {
        concat!(
            "SELECT repo_name, ",
            $select,
            " FROM observations WHERE registry_host = $1 AND (repo_name, reference) > ($2, $3) \
             AND strpos(reference, ':') = 0 AND ",
            $condition,
            $end
        )
    };
}

const KNOWN: &str =
    walk!("reference", "digest IS NOT NULL", " ORDER BY repo_name, reference LIMIT $4");
const HELD_BACK: &str =
    walk!("reference", "missing_since IS NOT NULL", " ORDER BY repo_name, reference LIMIT $4");
const COUNT_KNOWN: &str = walk!("count(*)", "digest IS NOT NULL", " GROUP BY repo_name");
const COUNT_HELD_BACK: &str = walk!("count(*)", "missing_since IS NOT NULL", " GROUP BY repo_name");

impl Database {
    /// Returns the references behind a place, at most `limit` before the selection is applied.
    /// Returns `None` at the end of the walk.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn walk(
        &self,
        over: WalkOver,
        registry: &Arc<Registry>,
        selection: &Selection,
        place: &WalkPlace,
        limit: i64,
    ) -> Result<Option<WalkPage>, Error> {
        let what = "list stored references";
        let sql = match over {
            WalkOver::Known => KNOWN,
            WalkOver::HeldBack => HELD_BACK,
        };
        let parameters: Parameters<'_> = &[
            (&registry.host(), Type::TEXT),
            (&place.repository, Type::TEXT),
            (&place.tag, Type::TEXT),
            (&limit, Type::INT8),
        ];
        let rows = self.query(what, sql, parameters).await?;
        let place = |row: &tokio_postgres::Row| -> Result<WalkPlace, tokio_postgres::Error> {
            Ok(WalkPlace { repository: row.try_get(0)?, tag: row.try_get(1)? })
        };
        let places = rows.iter().map(place).collect::<Result<Vec<_>, _>>();
        let places = places.map_err(|source| Error::Query { what, source })?;
        let subject = |place: &WalkPlace| {
            let repository = place.repository.parse().ok()?;
            let reference = Reference::Tag(place.tag.parse::<Tag>().ok()?);
            let registry = Arc::clone(registry);
            selection.has(&repository).then_some(Subject { registry, repository, reference })
        };
        let subjects = places.iter().filter_map(subject).collect();
        Ok(places.into_iter().next_back().map(|end| WalkPage { subjects, end }))
    }

    /// Counts the references behind a place.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn count_walk(
        &self,
        over: WalkOver,
        registry: &Registry,
        selection: &Selection,
        place: &WalkPlace,
    ) -> Result<u64, Error> {
        let what = "count stored references";
        let sql = match over {
            WalkOver::Known => COUNT_KNOWN,
            WalkOver::HeldBack => COUNT_HELD_BACK,
        };
        let parameters: Parameters<'_> = &[
            (&registry.host(), Type::TEXT),
            (&place.repository, Type::TEXT),
            (&place.tag, Type::TEXT),
        ];
        let mut counted = 0;
        for row in self.query(what, sql, parameters).await? {
            let unreadable = |source| Error::Query { what, source };
            let repository: &str = row.try_get(0).map_err(unreadable)?;
            let references: i64 = row.try_get(1).map_err(unreadable)?;
            if repository.parse().is_ok_and(|repository| selection.has(&repository)) {
                counted += u64::try_from(references).unwrap_or_default();
            }
        }
        Ok(counted)
    }
}
