//! The values that the tag formats find in tags, as arrays.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::domain::TagFormats;

/// The columns of a batch of tags. Every array has one entry per tag.
#[derive(Default)]
pub(super) struct ParsedTags<'a> {
    pub(super) format_ids: Vec<Option<&'a str>>,
    pub(super) versions: Vec<Option<String>>,
    pub(super) revisions: Vec<Option<String>>,
    pub(super) branches: Vec<Option<String>>,
    pub(super) commits: Vec<Option<String>>,
}

impl<'a> ParsedTags<'a> {
    /// Adds a tag. Its columns are empty without formats, and if it matches none of them.
    pub(super) fn push(&mut self, tag: &str, formats: Option<&'a TagFormats>) {
        let (format, parsed) = formats.and_then(|formats| formats.parse(tag)).unzip();
        let parsed = parsed.unwrap_or_default();
        self.format_ids.push(format.map(|format| format.id.as_str()));
        self.versions.push(parsed.version);
        self.revisions.push(parsed.revision);
        self.branches.push(parsed.branch);
        self.commits.push(parsed.commit);
    }
}

const LOCK_FORMATS: &str = "\
SELECT FROM helm_tag_formats WHERE id = ANY ($1::text[]::uuid[]) ORDER BY id FOR KEY SHARE";

/// Locks the formats that some tags match, before rows that refer to them are written. A
/// transaction that deletes a format locks the format first and its rows after that, so that
/// another order here would deadlock with it.
pub(super) async fn lock_formats(
    client: &Client,
    tags: &ParsedTags<'_>,
) -> Result<(), tokio_postgres::Error> {
    let ids: BTreeSet<&str> = tags.format_ids.iter().copied().flatten().collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    client.query_typed(LOCK_FORMATS, &[(&ids, Type::TEXT_ARRAY)]).await.map(drop)
}
