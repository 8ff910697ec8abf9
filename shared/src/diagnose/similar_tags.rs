//! Finds the tags that a mistyped tag may stand for.

use crate::domain::{Tag, newest_first};

/// How many tags are suggested.
const SUGGESTED: usize = 3;

/// How many letters a tag must have in common with the wanted one, from the first one on.
const COMMON_MIN: usize = 3;

/// Suggests tags: first those that differ only in case, a leading `v` or a separator, then those
/// with the same beginning, then the newest versions.
pub(super) fn similar_tags(wanted: &str, tags: &[Tag]) -> Vec<String> {
    let mut tags = tags.to_vec();
    newest_first(&mut tags);
    let wanted = plain(wanted);
    let likeness = |tag: &Tag| {
        let other = plain(tag.as_str());
        let common = other.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
        match () {
            () if other == wanted => usize::MAX,
            () if common >= COMMON_MIN => common,
            () => 0,
        }
    };
    // The sort is stable, so equally similar tags stay in the order of their versions.
    tags.sort_by_cached_key(|tag| std::cmp::Reverse(likeness(tag)));
    tags.iter().take(SUGGESTED).map(ToString::to_string).collect()
}

/// Reduces a tag to its letters and digits.
fn plain(tag: &str) -> String {
    let lower = tag.to_ascii_lowercase();
    lower.strip_prefix('v').unwrap_or(&lower).chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_tag_comes_first() {
        let tags: Vec<Tag> = ["1.2.3", "v1.10.0", "1.10.0-RC.1", "2.0.0", "main"]
            .iter()
            .map(|tag| tag.parse().unwrap())
            .collect();
        assert_eq!(similar_tags("1.10.0", &tags)[0], "v1.10.0");
        assert_eq!(similar_tags("1.10.0-rc1", &tags)[..2], ["1.10.0-RC.1", "v1.10.0"]);
        assert_eq!(similar_tags("9.9.9", &tags), ["2.0.0", "v1.10.0", "1.10.0-RC.1"]);
        assert_eq!(similar_tags("x", &[]), [""; 0]);
    }
}
