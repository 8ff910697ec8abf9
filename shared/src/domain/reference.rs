//! Repository names, tags and digests in the grammar of the OCI distribution and image
//! specifications. A value of one of these types is safe in a URL path and in a log line.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest as _, Sha256};

use super::Invalid;

/// Longest repository name, in bytes. The distribution specification notes that many clients limit
/// host and name together to 255 bytes, so they could not pull from a longer one.
const REPOSITORY_MAX: usize = 255;

/// A repository name: `<name>` in the distribution specification, section "Pulling manifests".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

/// A tag: `<reference>` as a tag in the distribution specification. Helm writes the `+` of a chart
/// version as `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

/// A digest of one of the registered algorithms, `sha256` or `sha512` (image specification, section
/// "Digests").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// A tag or a digest: the `<reference>` of a manifest. No text is both, because only a digest
/// contains a colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// A tag, which may resolve to another digest later.
    Tag(Tag),
    /// A digest, which always names the same bytes.
    Digest(Digest),
}

impl Repository {
    /// Returns the last segment of the name, which is a chart's name in Helm's convention.
    #[must_use]
    pub fn last_segment(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tag {
    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the tag is the mark of another manifest, such as its signature. Cosign makes
    /// `sha256-<hex>.sig`, `.att` and `.sbom`. The plain `sha256-<hex>` lists what refers to a
    /// manifest (distribution specification, section "Referrers Tag Schema").
    #[must_use]
    pub fn is_mark(&self) -> bool {
        static GRAMMAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
            // The specification cuts the digest to 64 digits.
            Regex::new(r"^(sha256-[a-f0-9]{64}|sha512-[a-f0-9]{64,128})(\.(sig|att|sbom))?$").ok()
        });
        matches_grammar(GRAMMAR.as_ref(), &self.0)
    }
}

impl Digest {
    /// Computes the sha256 digest of some bytes.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(format!("sha256:{:x}", Sha256::digest(bytes)))
    }

    /// Returns the digest as text, `algorithm:encoded`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    /// Returns the tag or digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

impl FromStr for Repository {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        static GRAMMAR: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$")
                .ok()
        });
        if text.len() > REPOSITORY_MAX {
            return Err(Invalid::new("repository", text, "it is longer than 255 bytes"));
        }
        if !matches_grammar(GRAMMAR.as_ref(), text) {
            let reason =
                "a name has lower-case letters and digits, separated by '.', '_', '-' or '/'";
            return Err(Invalid::new("repository", text, reason));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Tag {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        static GRAMMAR: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$").ok());
        if !matches_grammar(GRAMMAR.as_ref(), text) {
            let reason = "a tag has 1 to 128 letters, digits, '_', '.' and '-', and does not begin \
                          with '.' or '-'";
            return Err(Invalid::new("tag", text, reason));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        static GRAMMAR: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$").ok());
        if !matches_grammar(GRAMMAR.as_ref(), text) {
            let reason =
                "a digest is 'sha256:' and 64, or 'sha512:' and 128, lower-case hexadecimal digits";
            return Err(Invalid::new("digest", text, reason));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Returns whether a text matches the grammar. A grammar that does not compile matches nothing, and
/// fails the tests below.
fn matches_grammar(grammar: Option<&Regex>, text: &str) -> bool {
    grammar.is_some_and(|grammar| grammar.is_match(text))
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_follows_the_grammar() {
        for good in ["charts", "my-org/payments-api", "a.b__c/d---e/0", &"a".repeat(255)] {
            assert_eq!(
                good.parse::<Repository>().map(|name| name.to_string()).as_deref(),
                Ok(good)
            );
        }
        let bad = [
            "", "/", "a/", "/a", "a//b", "../../x", "a?b", "%2e%2e", "Upper", "a___b", "a.-b",
            "a\n", "ü",
        ];
        for bad in bad.into_iter().chain([&*"a".repeat(256)]) {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?} was accepted");
        }
    }

    /// Hostile inputs 14 and 15.
    #[test]
    fn tags_outside_the_grammar_are_refused() {
        for good in ["1.2.3", "0.1.0_b.1", "_x", "latest", &"t".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good:?} was refused");
        }
        let bad = [
            "",
            ".x",
            "-x",
            "a b",
            "a:b",
            "a/b",
            "\u{1b}[31m",
            "a\u{202e}b",
            "1.0\r\n",
            "1.0\n",
            "1+1",
            "'; DROP TABLE helm_charts",
            "$(id)",
            "--help",
        ];
        for bad in bad.into_iter().chain([&*"t".repeat(129)]) {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?} was accepted");
        }
    }

    /// Case from the field 19.
    #[test]
    fn marks_of_other_manifests_are_recognised() {
        let hex = "0a".repeat(32);
        let of = |tag: &str| tag.parse::<Tag>().map(|tag| tag.is_mark());
        for suffix in ["", ".sig", ".att", ".sbom"] {
            assert_eq!(of(&format!("sha256-{hex}{suffix}")), Ok(true), "{suffix}");
        }
        for other in [
            "1.0.0".to_owned(),
            "sha256-1.0.0".to_owned(),
            "sha256-abc.sig".to_owned(),
            format!("sha256-{hex}.tgz"),
            format!("x-sha256-{hex}"),
            format!("sha256-{hex}0"),
            format!("sha256-{}.sig", hex.to_uppercase()),
        ] {
            assert_eq!(of(&other), Ok(false), "{other}");
        }
    }

    /// Hostile input 19.
    #[test]
    fn digests_of_unknown_algorithms_are_refused() {
        let good = [format!("sha256:{}", "0".repeat(64)), format!("sha512:{}", "f".repeat(128))];
        for good in good {
            assert!(good.parse::<Digest>().is_ok(), "{good} was refused");
        }
        let bad = ["sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256", "latest"];
        for bad in bad.map(str::to_owned).into_iter().chain([format!("sha256:{}", "F".repeat(64))])
        {
            assert!(bad.parse::<Digest>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn digest_matches_only_its_own_bytes() {
        let empty512 = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                        47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
        assert!(
            empty512
                .parse::<Digest>()
                .is_ok_and(|digest| digest.matches(b"") && !digest.matches(b"x"))
        );
        let empty256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(
            empty256
                .parse::<Digest>()
                .is_ok_and(|digest| digest.matches(b"") && !digest.matches(b"x"))
        );
    }

    #[test]
    fn an_overlong_value_is_cut_in_the_message() {
        let message = "!".repeat(5000).parse::<Tag>().map_err(|error| error.to_string());
        assert!(message.is_err_and(|message| message.len() < 400));
    }
}
