//! Parses the tags of rows that are behind again, page by page.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info, warn};

use crate::db::{self, Behind, Database, Reparsed};
use crate::domain::TagFormats;

/// Charts in the first page. Large pages are cheaper per chart, because each page is joined with
/// the table once. Small pages hold their locks for a shorter time.
const FIRST_PAGE: i64 = 5_000;

/// Charts in the smallest page.
const SMALLEST_PAGE: i64 = 500;

/// Charts in the largest page.
const LARGEST_PAGE: i64 = 20_000;

/// How long a page should take. The database cancels a page that takes ten times as long.
const PAGE_TIME: Duration = Duration::from_secs(1);

/// The result of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reparse {
    /// How many tag formats there are, usable or not.
    pub formats: u64,
    /// How many charts had their tag parsed.
    pub checked: u64,
    /// How many rows changed.
    pub changed: u64,
    /// Whether no chart is behind now.
    pub complete: bool,
}

/// Parses the tag of every chart that is behind. If the deadline interrupts the run, the finished
/// pages stay written, and the next run resumes there. Safe beside writers and beside itself,
/// because a row only ever gets newer formats.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn reparse(database: &Database, deadline: Instant) -> Result<Reparse, db::Error> {
    let began = Instant::now();
    let outcome = reparse_pages(database, deadline).await?;
    if outcome.checked > 0 {
        let Reparse { formats, checked, changed, complete } = outcome;
        info!(
            formats,
            checked,
            changed,
            complete,
            duration_ms = began.elapsed().as_millis(),
            "tags parsed"
        );
    }
    Ok(outcome)
}

async fn reparse_pages(database: &Database, deadline: Instant) -> Result<Reparse, db::Error> {
    let mut outcome = Reparse::default();
    let (mut size, mut expected) = (FIRST_PAGE, PAGE_TIME);
    loop {
        // Asks again after each walk, because the formats may have changed, or a writer may have
        // used older ones.
        let state = database.tag_formats_state().await?;
        outcome.formats = state.formats;
        if !state.is_any_behind {
            return Ok(Reparse { complete: true, ..outcome });
        }
        database.tidy_chart_details().await?;
        let formats = database.tag_formats().await?;
        let mut after = None;
        loop {
            let began = Instant::now();
            if began + expected > deadline {
                return Ok(outcome);
            }
            let page = page(database, &formats, after.as_ref(), size);
            let (Reparsed { written, changed }, last) = match timeout_at(deadline, page).await {
                Ok(Ok(Some(page))) => page,
                Ok(Ok(None)) => break,
                Ok(Err(error)) if error.is_timed_out() && size > SMALLEST_PAGE => {
                    warn!(charts = size, "a page took too long, so the next one is smaller");
                    (size, expected) = ((size / 4).max(SMALLEST_PAGE), PAGE_TIME);
                    continue;
                }
                Ok(Err(error)) => return Err(error),
                // The database rolls the page back.
                Err(_) => return Ok(outcome),
            };
            outcome.checked += written;
            outcome.changed += changed;
            after = Some(last);
            (size, expected) = next_page(size, began.elapsed());
        }
    }
}

/// Parses one page. Returns its last chart, or `None` if no chart is left.
async fn page(
    database: &Database,
    formats: &TagFormats,
    after: Option<&Behind>,
    size: i64,
) -> Result<Option<(Reparsed, Behind)>, db::Error> {
    let charts = database.behind(formats.version, after, size).await?;
    let Some(last) = charts.last() else { return Ok(None) };
    let reparsed = database.reparse(formats, &charts).await?;
    debug!(charts = charts.len(), reparsed.written, reparsed.changed, "page parsed");
    Ok(Some((reparsed, last.clone())))
}

/// Computes the size of the next page, and how long it may take at most, from the time that a page
/// of `size` took.
fn next_page(size: i64, took: Duration) -> (i64, Duration) {
    if took < PAGE_TIME / 2 {
        ((size * 2).min(LARGEST_PAGE), took * 3)
    } else if took > PAGE_TIME * 2 {
        ((size / 2).max(SMALLEST_PAGE), took)
    } else {
        (size, took * 3 / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_size_follows_the_speed_of_the_database() {
        let table = [
            ("fast", (5_000, 100), (10_000, 300)),
            ("fast and large already", (20_000, 400), (20_000, 1_200)),
            ("as it should be", (10_000, 1_000), (10_000, 1_500)),
            ("slow", (10_000, 4_000), (5_000, 4_000)),
            ("slow and small already", (500, 9_000), (500, 9_000)),
        ];
        for (what, (size, took), (next, expected)) in table {
            let milliseconds = Duration::from_millis;
            assert_eq!(
                next_page(size, milliseconds(took)),
                (next, milliseconds(expected)),
                "{what}"
            );
        }
    }
}
