//! Sorts tags for lookups, newest version first, because users want the newest versions first.

use std::cmp::Reverse;

use semver::Version;

use super::Tag;

/// Sorts tags by version, newest first (Semantic Versioning, section 11). Tags that are no version
/// follow, in their previous order. A `v` in front is ignored, and Helm's `_` counts as the
/// version's `+`.
pub fn newest_first(tags: &mut [Tag]) {
    tags.sort_by_cached_key(|tag| Reverse(version_of(tag)));
}

fn version_of(tag: &Tag) -> Option<Version> {
    let text = tag.as_str().replacen('_', "+", 1);
    Version::parse(text.strip_prefix('v').unwrap_or(&text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_newest_first_and_other_tags_last() {
        let listed = [
            "latest",
            "1.9.0",
            "1.10.0",
            "1.10.0-rc.1",
            "v2.0.0",
            "main",
            "0.1.0_b.1",
            "1.10.0_b.2",
        ];
        let mut tags: Vec<Tag> = listed.iter().map(|tag| tag.parse().unwrap()).collect();
        newest_first(&mut tags);
        let sorted: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        let expected = [
            "v2.0.0",
            "1.10.0_b.2",
            "1.10.0",
            "1.10.0-rc.1",
            "1.9.0",
            "0.1.0_b.1",
            "latest",
            "main",
        ];
        assert_eq!(sorted, expected);
    }
}
