//! Tags that somebody may have meant.

use crate::domain::{Tag, newest_first};

/// Tags that are named.
const NAMED: usize = 3;

/// Letters that a tag must begin with to be what was meant.
const COMMON_MIN: usize = 3;

/// Some of the tags that there are: first those that are the same but for case, a `v` in front or a
/// separator, then those that begin the same, then the newest versions.
pub(super) fn similar(wanted: &str, tags: &[Tag]) -> Vec<String> {
    let mut tags = tags.to_vec();
    newest_first(&mut tags);
    let plain = plain(wanted);
    let likeness = |tag: &Tag| {
        let other = self::plain(tag.as_str());
        let common = other.chars().zip(plain.chars()).take_while(|(a, b)| a == b).count();
        match () {
            () if other == plain => usize::MAX,
            () if common >= COMMON_MIN => common,
            () => 0,
        }
    };
    // The order among those that are equally like is kept.
    tags.sort_by_cached_key(|tag| std::cmp::Reverse(likeness(tag)));
    tags.iter().take(NAMED).map(ToString::to_string).collect()
}

fn plain(tag: &str) -> String {
    let lower = tag.to_ascii_lowercase();
    lower.strip_prefix('v').unwrap_or(&lower).chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_comes_first() {
        let tags: Vec<Tag> = ["1.2.3", "v1.10.0", "1.10.0-RC.1", "2.0.0", "main"]
            .iter()
            .map(|tag| tag.parse().unwrap())
            .collect();
        assert_eq!(similar("1.10.0", &tags)[0], "v1.10.0");
        assert_eq!(similar("1.10.0-rc1", &tags)[..2], ["1.10.0-RC.1", "v1.10.0"]);
        assert_eq!(similar("9.9.9", &tags), ["2.0.0", "v1.10.0", "1.10.0-RC.1"]);
        assert_eq!(similar("x", &[]), [""; 0]);
    }
}
