//! Patterns of tag formats before they are saved: whether they can be used, and what they would do.

use std::time::Duration;

use shared::domain::TagPattern;
use shared::tags::Preview;
use tokio::time::Instant;

use crate::app::App;
use crate::http::problem::Problem;

/// Time for a preview: somebody waits for it.
const PREVIEW_TIME: Duration = Duration::from_secs(15);

/// A pattern that can be used.
///
/// # Errors
/// A problem that says why it cannot.
pub(crate) fn check(pattern: &str) -> Result<TagPattern, Problem> {
    let refused = |reason: String| Problem::unprocessable("pattern", reason);
    if pattern.is_empty() {
        return Err(refused("the pattern is empty: enter one".to_owned()));
    }
    // What a Postgres text cannot hold.
    if pattern.contains('\0') {
        return Err(refused("the pattern has a NUL in it".to_owned()));
    }
    TagPattern::new(pattern).map_err(|error| refused(error.to_string()))
}

/// What a pattern would do, with some examples.
///
/// # Errors
/// A problem: there are too many charts to go over in time.
pub(crate) async fn preview(
    app: &App,
    pattern: &TagPattern,
    limit: usize,
) -> Result<Preview, Problem> {
    Ok(shared::tags::preview(&app.database, pattern, limit, Instant::now() + PREVIEW_TIME).await?)
}
