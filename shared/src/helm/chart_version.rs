//! Decides which texts are versions of charts.

use std::sync::LazyLock;

use regex::Regex;

/// Longest version, in bytes.
const VERSION_MAX: usize = 256;

/// Returns whether Helm accepts a text as a chart's version: a semantic version (semver.org), whose
/// minor and patch numbers may be missing, and before which a `v` may stand.
pub(super) fn is_chart_version(text: &str) -> bool {
    static GRAMMAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?",
            r"(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)",
            r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?",
            r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$",
        ))
        .ok()
    });
    let Some(parts) = GRAMMAR.as_ref().and_then(|grammar| grammar.captures(text)) else {
        return false;
    };
    // Helm reads the three numbers into 64 bits.
    let numbers =
        [1, 2, 3].map(|group| parts.get(group).is_none_or(|n| n.as_str().parse::<u64>().is_ok()));
    text.len() <= VERSION_MAX && numbers == [true; 3]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case from the field 22. `chart_yaml_gets_the_verdict_of_helm` compares with Helm itself.
    #[test]
    fn version_is_semantic_as_helm_understands_it() {
        let longest = format!("1.0.0-{}", "a".repeat(250));
        let good = ["1.2.3", "1", "1.2", "v1.2.3", "01.2.3", "1-a", "2020-01-01", "0.1.0-a.0+b.1"];
        for good in good.into_iter().chain([&*longest]) {
            assert!(is_chart_version(good), "{good}");
        }
        let too_long = format!("{longest}a");
        for bad in [
            "",
            "abc",
            "v",
            "latest",
            "1.x",
            "1.2.3.4",
            " 1.2.3",
            "1.2.3-01",
            "1.2.3-",
            "1.2.3+",
            "V1.0.0",
            "1.2.3+b_1",
            "1.0.0-dev_x",
            "99999999999999999999.0.0",
            &too_long,
        ] {
            assert!(!is_chart_version(bad), "{bad}");
        }
    }
}
