//! Tries a pattern on the tags of all charts, as if it were a new format. Writes nothing.

use serde::Serialize;
use serde_json::{Value, json};
use shared::db::Database;
use shared::domain::{ParsedTag, TagPattern};
use tokio::time::Instant;

/// A tag that the pattern matches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    tag: String,
    version: Option<String>,
    revision: Option<String>,
    branch: Option<String>,
    commit: Option<String>,
    /// The pattern of the format that matches the tag as well and, being older, comes first.
    shadowed_by: Option<String>,
}

/// What a pattern would do, with at most `limit` examples, those first that it would change. For a pattern that cannot be
/// used `{"error":…}`.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn preview(
    database: &Database,
    pattern: &str,
    limit: usize,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let pattern = match TagPattern::new(pattern) {
        Ok(pattern) => pattern,
        Err(error) => return Ok(json!({"error": error.to_string()})),
    };
    let formats = database.tag_formats().await?;
    let (mut matched, mut newly_matched) = (0_u64, 0_u64);
    let (mut new, mut shadowed) = (Vec::new(), Vec::new());
    database
        .for_each_tag(deadline.saturating_duration_since(Instant::now()), |tag| {
            let Some(parsed) = pattern.parse(tag) else { return };
            let older = formats.first_match(tag).map(|format| format.pattern.as_str());
            matched += 1;
            newly_matched += u64::from(older.is_none());
            let examples = if older.is_none() { &mut new } else { &mut shadowed };
            if examples.len() < limit {
                examples.push(Match::new(tag, parsed, older));
            }
        })
        .await?;
    // The database gives tags in any order.
    new.sort_by(|one: &Match, other| one.tag.cmp(&other.tag));
    shadowed.sort_by(|one: &Match, other| one.tag.cmp(&other.tag));
    let matches: Vec<Match> = new.into_iter().chain(shadowed).take(limit).collect();
    Ok(json!({"matches": matches, "matched": matched, "newlyMatched": newly_matched}))
}

impl Match {
    fn new(tag: &str, parsed: ParsedTag, shadowed_by: Option<&str>) -> Self {
        let ParsedTag { version, revision, branch, commit } = parsed;
        Self { tag: tag.to_owned(), version, revision, branch, commit, shadowed_by: shadowed_by.map(str::to_owned) }
    }
}
