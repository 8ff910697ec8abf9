//! Parses again what was parsed with older formats, page by page.

use std::time::Duration;

use serde::Serialize;
use shared::db::{Database, Reparsed};
use tokio::time::Instant;
use tracing::debug;

/// Charts parsed and written together. Each page is joined with the table, which pays for large ones; and holds its locks
/// for a second, which does for small ones.
const PAGE: i64 = 20_000;

/// Time that a page must be left to be worth beginning.
const PAGE_TIME: Duration = Duration::from_millis(1500);

/// What came of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    /// Formats that there are, usable or not.
    pub(crate) formats: u64,
    /// Charts whose tag was parsed.
    pub(crate) checked: u64,
    /// Charts whose row now tells something else.
    pub(crate) changed: u64,
    /// Whether no chart is behind any more.
    pub(crate) complete: bool,
}

/// Parses every chart that is behind. What was done is kept when time runs out: the next run goes on from there. Safe
/// beside the writers and beside itself: a row is only ever brought to newer formats.
///
/// # Errors
/// When the database cannot be used.
pub(crate) async fn reparse(database: &Database, deadline: Instant) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    loop {
        // The formats may have changed since the last time, or a writer may have had older ones.
        let state = database.tag_formats_state().await?;
        outcome.formats = state.formats;
        if !state.is_any_behind {
            return Ok(Outcome { complete: true, ..outcome });
        }
        let formats = database.tag_formats().await?;
        let mut after = None;
        loop {
            if Instant::now() + PAGE_TIME > deadline {
                return Ok(outcome);
            }
            let charts = database.behind(formats.version, after.as_ref(), PAGE).await?;
            let Some(last) = charts.last() else { break };
            let Reparsed { written, changed } = database.reparse(&formats, &charts).await?;
            debug!(charts = charts.len(), written, changed, "page parsed");
            outcome.checked += written;
            outcome.changed += changed;
            after = Some(last.clone());
        }
    }
}
