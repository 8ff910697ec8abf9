//! Tag formats: regular expressions with named groups that parse tags.

use std::fmt;

use regex::{Captures, Regex, RegexBuilder};

/// Longest pattern, in bytes. The table has the same limit.
pub const PATTERN_MAX: usize = 4096;

/// Largest compiled pattern, in bytes. `\w` alone takes fifteen kilobytes, because Unicode has so
/// many letters. So `\w{7,40}` needs more than half a megabyte. `(?:a{1000}){1000}` would need a
/// hundred megabytes.
const COMPILED_LIMIT: usize = 2 * 1024 * 1024;

/// The groups that are stored. A pattern without any of them still applies: its tags are not tried
/// with later formats.
const GROUPS: [&str; 4] = ["version", "revision", "branch", "commit"];

/// The reason why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern is too long.
    #[error("the pattern has {size} bytes; the limit is {PATTERN_MAX}")]
    TooLong {
        /// The pattern's size, in bytes.
        size: usize,
    },
    /// The compiled pattern would take too much memory.
    #[error("the pattern is too large: it compiles to more than {COMPILED_LIMIT} bytes")]
    TooLarge,
    /// The pattern is no regular expression.
    #[error("the pattern is no regular expression: {0}")]
    Syntax(String),
    /// Groups have names that are not stored.
    #[error(
        "the groups {0} are not stored: name them version, revision, branch or commit, in lower \
         case"
    )]
    GroupNames(String),
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct TagPattern(Regex);

/// A pattern with the id of its row.
#[derive(Debug, Clone)]
pub struct TagFormat {
    /// The row's id, as text.
    pub id: String,
    /// The pattern.
    pub pattern: TagPattern,
}

/// The formats at one version of the table, in the order in which they are tried: oldest first.
#[derive(Debug, Clone, Default)]
pub struct TagFormats {
    /// The version of the table.
    pub version: i64,
    formats: Vec<TagFormat>,
}

/// The parts of a tag. A part that the tag does not have is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedTag {
    /// A version, such as `1.2.3`.
    pub version: Option<String>,
    /// A revision, such as a build number.
    pub revision: Option<String>,
    /// A branch.
    pub branch: Option<String>,
    /// A commit, or the beginning of one.
    pub commit: Option<String>,
}

impl TagPattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Says in one line why the pattern cannot be used.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_MAX {
            return Err(PatternError::TooLong { size: pattern.len() });
        }
        let built = RegexBuilder::new(pattern).size_limit(COMPILED_LIMIT).build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            other => PatternError::Syntax(last_line(&other.to_string())),
        })?;
        Ok(Self(regex))
    }

    /// Parses a tag. Returns `None` if it does not match.
    #[must_use]
    pub fn parse(&self, tag: &str) -> Option<ParsedTag> {
        let captures = self.0.captures(tag)?;
        let [version, revision, branch, commit] = GROUPS.map(|name| group(&captures, name));
        Some(ParsedTag { version, revision, branch, commit })
    }

    /// Returns whether a tag matches.
    #[must_use]
    pub fn matches(&self, tag: &str) -> bool {
        self.0.is_match(tag)
    }

    /// Returns whether the pattern names a group that is stored. If it names none, pages show no
    /// parts of its tags.
    #[must_use]
    pub fn names_a_group(&self) -> bool {
        self.0.capture_names().flatten().any(|name| GROUPS.contains(&name))
    }

    /// Checks that the pattern does not miss the names of the groups that are stored: names such as
    /// `Version`, or none but others such as `major` and `minor`. Such a pattern would leave its
    /// charts without a version. A stored pattern applies without this check.
    ///
    /// # Errors
    /// Names the groups.
    pub fn check_group_names(&self) -> Result<(), PatternError> {
        let differs_in_case = |name: &&str| {
            GROUPS.iter().any(|group| group != name && group.eq_ignore_ascii_case(name))
        };
        let names = self.0.capture_names().flatten();
        let wrong: Vec<&str> = if self.names_a_group() {
            names.filter(differs_in_case).collect()
        } else {
            names.collect()
        };
        if wrong.is_empty() { Ok(()) } else { Err(PatternError::GroupNames(wrong.join(", "))) }
    }

    /// Returns the pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Returns the text of a group. Returns `None` if the text is empty.
fn group(captures: &Captures<'_>, name: &str) -> Option<String> {
    captures.name(name).map(|group| group.as_str().to_owned()).filter(|text| !text.is_empty())
}

/// Returns the last line of a syntax error, which names the defect. The lines before it only show
/// the pattern with a mark.
fn last_line(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl TagFormats {
    /// Takes the formats in the order of their creation.
    #[must_use]
    pub fn new(version: i64, formats: Vec<TagFormat>) -> Self {
        Self { version, formats }
    }

    /// Parses a tag by the first format that it matches. Returns `None` if it matches none.
    #[must_use]
    pub fn parse(&self, tag: &str) -> Option<(&TagFormat, ParsedTag)> {
        self.formats.iter().find_map(|format| Some((format, format.pattern.parse(tag)?)))
    }

    /// Returns the first format that a tag matches.
    #[must_use]
    pub fn first_match(&self, tag: &str) -> Option<&TagFormat> {
        self.formats.iter().find(|format| format.pattern.matches(tag))
    }
}

/// Writes the parts as the pages show them: `v1.2.3 (branch=main, commit=abc1234)`. Leaves out
/// parts that are `None`, and writes nothing if there are none.
impl fmt::Display for ParsedTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest =
            [("revision", &self.revision), ("branch", &self.branch), ("commit", &self.commit)];
        // Platz stores an empty text for a group that took no part.
        let is_told = |value: &&String| !value.is_empty();
        let rest: Vec<String> = rest
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref().filter(is_told)?)))
            .collect();
        let version = self.version.as_ref().filter(is_told);
        if let Some(version) = version {
            let prefix =
                if version.starts_with(|first: char| first.is_ascii_digit()) { "v" } else { "" };
            write!(f, "{prefix}{version}")?;
        }
        match (version, rest.is_empty()) {
            (_, true) => Ok(()),
            (Some(_), false) => write!(f, " ({})", rest.join(", ")),
            (None, false) => write!(f, "({})", rest.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(patterns: &[&str]) -> TagFormats {
        let format = |(n, pattern): (usize, &&str)| TagFormat {
            id: n.to_string(),
            pattern: TagPattern::new(pattern).unwrap(),
        };
        TagFormats::new(1, patterns.iter().enumerate().map(format).collect())
    }

    fn tag(version: &str, revision: &str, branch: &str, commit: &str) -> ParsedTag {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        ParsedTag {
            version: text(version),
            revision: text(revision),
            branch: text(branch),
            commit: text(commit),
        }
    }

    /// The tag formats of a typical site, oldest first.
    const PATTERNS: [&str; 6] = [
        // git describe: v1.4.2-14-g2414721
        r"^v?(?P<version>\d+\.\d+\.\d+)-(?P<revision>\d+)-g(?P<commit>[0-9a-f]{7,40})$",
        // branch-build-commit: feature-x-1234-abc1234
        r"^(?<branch>[a-z][a-z0-9./-]*?)-(?<revision>\d+)-(?<commit>[0-9a-f]{7,40})$",
        // 1.2.3-main.5.abc1234, and with SemVer's + as Helm's _
        concat!(
            r"^v?(?P<version>\d+\.\d+\.\d+)",
            r"(?:-(?P<branch>[a-z]+)\.(?P<revision>\d+)(?:\.(?P<commit>[0-9a-f]{7}))?)$"
        ),
        r"^v?(?P<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?:_(?P<revision>[0-9A-Za-z.-]+))?$",
        // dates: 2026.11.22-3, 20261122.1
        r"^(?P<version>\d{4}[.]?\d{2}[.]?\d{2})(?:[-.](?P<revision>\d+))?$",
        r"(?i)^(?P<branch>MAIN|develop)$",
    ];

    #[test]
    fn real_tags_are_parsed_by_the_first_format_that_matches() {
        let formats = formats(&PATTERNS);
        let table = [
            ("v1.4.2-14-g2414721", Some(("0", tag("1.4.2", "14", "", "2414721")))),
            ("1.0.0-1-gdeadbeefdeadbeef", Some(("0", tag("1.0.0", "1", "", "deadbeefdeadbeef")))),
            ("main-1234-abc1234", Some(("1", tag("", "1234", "main", "abc1234")))),
            (
                "feature-login-7-0123456789abcdef0123456789abcdef01234567",
                Some((
                    "1",
                    tag("", "7", "feature-login", "0123456789abcdef0123456789abcdef01234567"),
                )),
            ),
            ("release-1.2-88-abcdef0", Some(("1", tag("", "88", "release-1.2", "abcdef0")))),
            ("1.2.3-main.5.abc1234", Some(("2", tag("1.2.3", "5", "main", "abc1234")))),
            ("1.2.3-main.5", Some(("2", tag("1.2.3", "5", "main", "")))),
            ("1.2.3", Some(("3", tag("1.2.3", "", "", "")))),
            ("v1.2.3", Some(("3", tag("1.2.3", "", "", "")))),
            ("0.1.0_b.1", Some(("3", tag("0.1.0", "b.1", "", "")))),
            ("1.2.3-rc.1", Some(("2", tag("1.2.3", "1", "rc", "")))),
            ("1.2.3-rc1", Some(("3", tag("1.2.3-rc1", "", "", "")))),
            ("1.2.3-rc.1_build.7", Some(("3", tag("1.2.3-rc.1", "build.7", "", "")))),
            ("10.20.30", Some(("3", tag("10.20.30", "", "", "")))),
            (
                "1.0.0-alpha-a.b-c-somethinglong_build.1-aef.1-its-okay",
                Some((
                    "3",
                    tag("1.0.0-alpha-a.b-c-somethinglong", "build.1-aef.1-its-okay", "", ""),
                )),
            ),
            ("2026.11.22", Some(("3", tag("2026.11.22", "", "", "")))),
            ("2026.11.22-3", Some(("3", tag("2026.11.22-3", "", "", "")))),
            ("20261122", Some(("4", tag("20261122", "", "", "")))),
            ("20261122.1", Some(("4", tag("20261122", "1", "", "")))),
            ("20261122-12", Some(("4", tag("20261122", "12", "", "")))),
            ("main", Some(("5", tag("", "", "main", "")))),
            ("Develop", Some(("5", tag("", "", "Develop", "")))),
            ("latest", None),
            ("1.2", None),
            ("sha-abc1234", None),
            ("pr-17", None),
        ];
        for (text, expected) in table {
            let parsed = formats.parse(text).map(|(format, parsed)| (format.id.as_str(), parsed));
            assert_eq!(parsed, expected, "{text}");
            let first = formats.first_match(text).map(|format| format.id.as_str());
            assert_eq!(first, expected.map(|(id, _)| id), "{text}");
        }
    }

    #[test]
    fn the_oldest_format_wins() {
        let (broad, narrow) = (r"^(?P<branch>.+)$", r"^(?P<version>\d+)$");
        assert_eq!(formats(&[broad, narrow]).parse("7").unwrap().1, tag("", "", "7", ""));
        assert_eq!(formats(&[narrow, broad]).parse("7").unwrap().1, tag("7", "", "", ""));
        assert_eq!(formats(&[]).parse("7").map(|(format, _)| format.id.clone()), None);
    }

    #[test]
    fn absent_or_unused_or_empty_group_is_none() {
        let parse = |pattern, text| TagPattern::new(pattern).unwrap().parse(text);
        assert_eq!(parse(r"^(?P<version>\d+)$", "1"), Some(tag("1", "", "", "")));
        assert_eq!(
            parse(r"^(?P<version>\d+)?(?P<branch>[a-z]*)$", "main"),
            Some(tag("", "", "main", ""))
        );
        assert_eq!(parse(r"^(?P<version>\d+)?(?P<branch>[a-z]*)$", ""), Some(ParsedTag::default()));
        assert_eq!(parse(r"^(?P<version>\d+)-(?P<other>x)$", "1-x"), Some(tag("1", "", "", "")));
        assert_eq!(
            parse(r"(?P<version>\d+)", "app-17-x"),
            Some(tag("17", "", "", "")),
            "it need not be the whole tag"
        );
        assert_eq!(parse(r"^(?P<version>\d+)$", "x"), None);
        assert_eq!(parse(r"^latest$", "latest"), Some(ParsedTag::default()));
    }

    /// Hostile input 34.
    #[test]
    fn unusable_pattern_is_refused_with_one_line() {
        for (pattern, expected) in [
            (r"(?P<version>(?:a{1000}){1000})", "too large"),
            (r"(?P<version>.)(?<=x)", "look-around"),
            (r"(?P<version>.)(?!x)", "look-around"),
            (r"(?P<version>.)\1", "backreferences"),
            (r"(?P<version>.", "unclosed group"),
            (&"x".repeat(1 << 20), "has 1048576 bytes; the limit is 4096"),
            (&format!("{}{}", "(".repeat(2000), ")".repeat(2000)), "nest"),
        ] {
            let error = TagPattern::new(pattern).unwrap_err().to_string();
            assert!(
                error.contains(expected) && !error.contains('\n') && error.len() < 200,
                "{error} for {expected}"
            );
        }
        // These use the full syntax of the library, Unicode included.
        let usual = r"^(?P<branch>[\w.-]+)-(?P<commit>\w{7,40})$";
        for pattern in [
            usual,
            r"(?i)(?P<branch>\p{L}+)",
            r"(?<version>[\d.]+)",
            r"(?x) (?P<commit> [[:xdigit:]]{7} ) # short",
        ] {
            assert!(TagPattern::new(pattern).is_ok(), "{pattern}");
        }
    }

    /// Case from the field 33.
    #[test]
    fn group_names_that_are_not_stored_are_refused() {
        let of_semver_org = concat!(
            r"^(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)",
            r"(?:-(?P<prerelease>[0-9A-Za-z.-]+))?(?:\+(?P<buildmetadata>[0-9A-Za-z.-]+))?$"
        );
        for (pattern, named) in [
            (of_semver_org, "groups major, minor, patch, prerelease, buildmetadata are"),
            (r"^(?P<Version>\d+)$", "groups Version are"),
            (r"^(?P<version>\d+)-(?P<COMMIT>\w+)$", "groups COMMIT are"),
            (r"^(?P<tag>\d+)$", "groups tag are"),
        ] {
            let error = TagPattern::new(pattern).unwrap().check_group_names().unwrap_err();
            let error = error.to_string();
            assert!(error.contains(named) && error.contains("version, revision"), "{error}");
        }
        for pattern in [r"^(?P<version>(?P<major>\d+)\.\d+)$", r"^(\d+)$", "^latest$", PATTERNS[0]]
        {
            let checked = TagPattern::new(pattern).unwrap().check_group_names();
            assert_eq!(checked, Ok(()), "{pattern}");
        }
    }

    #[test]
    fn display_leaves_out_parts_that_are_none() {
        for (parsed, shown) in [
            (tag("1.2.3", "", "main", "abc1234"), "v1.2.3 (branch=main, commit=abc1234)"),
            (tag("1.2.3", "", "", ""), "v1.2.3"),
            (tag("1.2.3", "17", "", ""), "v1.2.3 (revision=17)"),
            (tag("v1.2.3", "", "", "abc1234"), "v1.2.3 (commit=abc1234)"),
            (tag("", "", "main", ""), "(branch=main)"),
            (tag("", "9", "main", "abc1234"), "(revision=9, branch=main, commit=abc1234)"),
            (tag("", "", "", ""), ""),
        ] {
            assert_eq!(parsed.to_string(), shown);
        }
    }

    #[test]
    fn display_leaves_out_parts_that_are_empty() {
        let empty = || Some(String::new());
        let parsed =
            ParsedTag { revision: empty(), branch: empty(), ..tag("1.2.3", "", "", "abc") };
        assert_eq!(parsed.to_string(), "v1.2.3 (commit=abc)");
        assert_eq!(ParsedTag { version: empty(), ..tag("", "", "", "") }.to_string(), "");
    }
}
