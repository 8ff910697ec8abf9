//! What tags tell, as arrays.

use crate::domain::TagFormats;

/// What tags tell, as columns.
#[derive(Default)]
pub(super) struct ParsedTags<'a> {
    pub(super) format_ids: Vec<Option<&'a str>>,
    pub(super) versions: Vec<Option<String>>,
    pub(super) revisions: Vec<Option<String>>,
    pub(super) branches: Vec<Option<String>>,
    pub(super) commits: Vec<Option<String>>,
}

impl<'a> ParsedTags<'a> {
    /// Adds a tag. Without formats, and of a tag that matches none, there is nothing to tell.
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
