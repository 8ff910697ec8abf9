//! Patterns of tag formats before they are saved: whether they can be used, and what they would do.

use std::time::Duration;

use shared::domain::TagPattern;
use shared::tags::Preview;
use tokio::time::Instant;

use crate::app::App;
use crate::http::problem::Problem;

/// Time for a preview, because a user waits for it.
const PREVIEW_TIME: Duration = Duration::from_secs(15);

/// Parses a pattern.
///
/// # Errors
/// The pattern cannot be used, with the reason.
pub(crate) fn check(pattern: &str) -> Result<TagPattern, Problem> {
    let refused = |reason: String| Problem::unprocessable("pattern", reason);
    if pattern.is_empty() {
        return Err(refused("the pattern is empty: enter one".to_owned()));
    }
    // Postgres cannot store a NUL in a text.
    if pattern.contains('\0') {
        return Err(refused("the pattern contains a NUL".to_owned()));
    }
    let pattern = TagPattern::new(pattern).map_err(|error| refused(error.to_string()))?;
    pattern.check_group_names().map_err(|error| refused(error.to_string()))?;
    Ok(pattern)
}

/// Returns what a pattern would do, with up to `limit` examples.
///
/// # Errors
/// The database does not answer, or the charts are too many to check in time.
pub(crate) async fn preview(
    app: &App,
    pattern: &TagPattern,
    limit: usize,
) -> Result<Preview, Problem> {
    Ok(shared::tags::preview(&app.database, pattern, limit, Instant::now() + PREVIEW_TIME).await?)
}
