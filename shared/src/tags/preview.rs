//! Tries a pattern on the tags of all charts, as if it were a new tag format. Writes nothing.

use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::db::{ChartTag, Database, Error};
use crate::domain::{ParsedTag, TagPattern};

/// The effect that a pattern would have.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Some of the tags that it matches. Those that it would change come first.
    pub matches: Vec<Match>,
    /// How many tags it matches.
    pub matched: u64,
    /// How many of them match no format today.
    pub newly_matched: u64,
    /// The versions that charts have today and would lose; left out if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostVersions>,
}

/// Versions that charts have today, and that a pattern would take from them.
#[derive(Debug, Default, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LostVersions {
    /// How many charts would lose their version.
    pub charts: u64,
    /// Some of their tags.
    pub examples: Vec<LostVersion>,
}

/// A tag whose charts would lose their version.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LostVersion {
    /// The tag.
    pub tag: String,
    /// The version that a chart with this tag has today.
    pub version: String,
}

/// A tag that the pattern matches.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// The tag.
    pub tag: String,
    /// The text of the group `version`.
    #[schema(required)]
    pub version: Option<String>,
    /// The text of the group `revision`.
    #[schema(required)]
    pub revision: Option<String>,
    /// The text of the group `branch`.
    #[schema(required)]
    pub branch: Option<String>,
    /// The text of the group `commit`.
    #[schema(required)]
    pub commit: Option<String>,
    /// The pattern of an older format that matches the tag too, and so is used instead.
    #[schema(required)]
    pub shadowed_by: Option<String>,
}

/// Computes the effect of a pattern, with at most `limit` examples.
///
/// # Errors
/// When the database cannot be read by the deadline.
pub async fn preview(
    database: &Database,
    pattern: &TagPattern,
    limit: usize,
    deadline: Instant,
) -> Result<Preview, Error> {
    let formats = database.tag_formats().await?;
    let (mut matched, mut newly_matched) = (0_u64, 0_u64);
    let (mut new, mut shadowed) = (Vec::new(), Vec::new());
    let mut lost = LostVersions::default();
    database
        .for_each_tag(deadline.saturating_duration_since(Instant::now()), |known| {
            let tag = known.tag;
            let Some(parsed) = pattern.parse(tag) else { return };
            let older = formats.first_match(tag).map(|format| format.pattern.as_str());
            matched += 1;
            newly_matched += u64::from(older.is_none());
            if older.is_none() && parsed.version.is_none() {
                lost.take(known, limit);
            }
            let examples = if older.is_none() { &mut new } else { &mut shadowed };
            if examples.len() < limit {
                examples.push(Match::new(tag, parsed, older));
            }
        })
        .await?;
    // Sorted, because the database returns tags in any order.
    new.sort_by(|one: &Match, other| one.tag.cmp(&other.tag));
    shadowed.sort_by(|one: &Match, other| one.tag.cmp(&other.tag));
    let matches = new.into_iter().chain(shadowed).take(limit).collect();
    lost.examples.sort_by(|one, other| one.tag.cmp(&other.tag));
    let lost = (lost.charts > 0).then_some(lost);
    Ok(Preview { matches, matched, newly_matched, lost })
}

impl LostVersions {
    fn take(&mut self, known: ChartTag<'_>, limit: usize) {
        self.charts += known.with_version;
        if let (1.., Some(version)) = (known.with_version, known.version)
            && self.examples.len() < limit
        {
            let (tag, version) = (known.tag.to_owned(), version.to_owned());
            self.examples.push(LostVersion { tag, version });
        }
    }
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
