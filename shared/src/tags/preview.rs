//! Tries a pattern on the tags of all charts, as if it were a new format. Writes nothing.

use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::db::{Database, Error};
use crate::domain::{ParsedTag, TagPattern};

/// What a pattern would do.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Some of the tags that it matches, those first that it would change.
    pub matches: Vec<Match>,
    /// How many tags it matches.
    pub matched: u64,
    /// How many of them no format takes today.
    pub newly_matched: u64,
}

/// A tag that the pattern matches.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// The tag.
    pub tag: String,
    /// What its group `version` is.
    #[schema(required)]
    pub version: Option<String>,
    /// What its group `revision` is.
    #[schema(required)]
    pub revision: Option<String>,
    /// What its group `branch` is.
    #[schema(required)]
    pub branch: Option<String>,
    /// What its group `commit` is.
    #[schema(required)]
    pub commit: Option<String>,
    /// The pattern of the format that matches the tag as well and, being older, comes first.
    #[schema(required)]
    pub shadowed_by: Option<String>,
}

/// What a pattern would do, with at most `limit` examples.
///
/// # Errors
/// When the database cannot be asked, or not by the deadline.
pub async fn preview(
    database: &Database,
    pattern: &TagPattern,
    limit: usize,
    deadline: Instant,
) -> Result<Preview, Error> {
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
    let matches = new.into_iter().chain(shadowed).take(limit).collect();
    Ok(Preview { matches, matched, newly_matched })
}

impl Match {
    fn new(tag: &str, parsed: ParsedTag, shadowed_by: Option<&str>) -> Self {
        let ParsedTag { version, revision, branch, commit } = parsed;
        Self {
            tag: tag.to_owned(),
            version,
            revision,
            branch,
            commit,
            shadowed_by: shadowed_by.map(str::to_owned),
        }
    }
}
