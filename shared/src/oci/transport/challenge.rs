//! Reads the challenges of an answer (RFC 9110, section 11.6.1). Registries also send forms that
//! the RFC does not allow: a realm that is empty, that has no quotes, or that is relative.

use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::oci::error::ChallengeDefect;

/// The service that issues tokens for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Realm {
    pub(super) url: Url,
    pub(super) service: Option<String>,
}

/// A challenge that the client can answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: Realm, scope: Option<String> },
}

/// The challenges of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Challenges {
    /// Those that the client can answer. Those with a realm come first, because a registry that
    /// offers both prefers tokens.
    pub(super) usable: Vec<Challenge>,
    /// The defect of the last one that the client cannot answer.
    pub(super) defect: Option<ChallengeDefect>,
}

/// A scheme with its parameters, as the header writes them.
struct Scheme<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, String)>,
}

impl Challenges {
    /// Reads the headers of an answer from the registry at `base`.
    pub(super) fn read(base: &Url, headers: &HeaderMap) -> Self {
        let mut challenges = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            for scheme in schemes_in(&String::from_utf8_lossy(value.as_bytes())) {
                match scheme.challenge(base) {
                    Ok(Challenge::Basic) => challenges.usable.push(Challenge::Basic),
                    Ok(bearer) => challenges.usable.insert(0, bearer),
                    Err(defect) => challenges.defect = Some(defect),
                }
            }
        }
        challenges
    }
}

impl Scheme<'_> {
    fn challenge(&self, base: &Url) -> Result<Challenge, ChallengeDefect> {
        if self.name.eq_ignore_ascii_case("basic") {
            return Ok(Challenge::Basic);
        }
        if !self.name.eq_ignore_ascii_case("bearer") {
            return Err(ChallengeDefect::UnknownScheme(self.name.to_owned()));
        }
        let text = self.parameter("realm").ok_or(ChallengeDefect::NoRealm)?;
        let url = base.join(text).ok();
        let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
        // Without what may be a password.
        let shown = || text.rsplit('@').next().unwrap_or_default().to_owned();
        let url = url.ok_or_else(|| ChallengeDefect::WrongRealm(shown()))?;
        let realm = Realm { url, service: self.parameter("service").map(str::to_owned) };
        Ok(Challenge::Bearer { realm, scope: self.parameter("scope").map(str::to_owned) })
    }

    /// Returns a parameter that is not empty.
    fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Splits a header into schemes. A word that no `=` follows begins a scheme.
fn schemes_in(header: &str) -> Vec<Scheme<'_>> {
    let mut schemes: Vec<Scheme<'_>> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',', '=', '"']);
        let (word, behind) = split(rest, &[' ', '\t', ',', '=']);
        if word.is_empty() {
            return schemes;
        }
        let spaceless = behind.trim_start_matches([' ', '\t']);
        match (spaceless.strip_prefix('='), schemes.last_mut()) {
            (Some(value), Some(scheme)) => {
                let (value, behind) = value_in(value.trim_start_matches([' ', '\t']));
                scheme.parameters.push((word, value));
                rest = behind;
            }
            (Some(_), None) => rest = behind,
            (None, _) => {
                schemes.push(Scheme { name: word, parameters: Vec::new() });
                rest = behind;
            }
        }
    }
}

/// Reads a quoted value, or a word.
fn value_in(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, behind) = split(text, &[' ', '\t', ',']);
        return (word.to_owned(), behind);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

fn split<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn read(headers: &[&str]) -> Challenges {
        let base = Url::parse("https://registry.example/oci").unwrap();
        let value =
            |header: &&str| (WWW_AUTHENTICATE, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        Challenges::read(&base, &headers.iter().map(value).collect())
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let realm = Realm { url: Url::parse(realm).unwrap(), service: text(service) };
        Challenge::Bearer { realm, scope: text(scope) }
    }

    /// Cases from the field 16, 24 and 27.
    #[test]
    fn challenge_is_understood_in_every_form() {
        let pull = Some("repository:a:pull,push");
        let a = "https://a/t";
        let table: [(&[&str], Vec<Challenge>); 13] = [
            (&["Basic realm=\"x\""], vec![Challenge::Basic]),
            (&["basic realm="], vec![Challenge::Basic]),
            (&["Basic"], vec![Challenge::Basic]),
            (
                &["Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\""],
                vec![bearer(a, Some("s"), pull)],
            ),
            (&["BEARER Realm = \"https:\\/\\/a/t\" , service=s"], vec![bearer(a, Some("s"), None)]),
            (&["Bearer realm=https://a/t,service=s"], vec![bearer(a, Some("s"), None)]),
            (&["Bearer realm=https://a/t service=s"], vec![bearer(a, Some("s"), None)]),
            (
                &["Bearer realm=\"/token\",service=\"\""],
                vec![bearer("https://registry.example/token", None, None)],
            ),
            (&["Bearer realm=\"//a/t\""], vec![bearer(a, None, None)]),
            // Gitea sends two headers.
            (
                &["Basic realm=\"x\"", "Bearer realm=\"https://a/t\""],
                vec![bearer(a, None, None), Challenge::Basic],
            ),
            (
                &["Negotiate YWJj==, Basic realm=\"x, Bearer y\", Bearer realm=\"https://a/t\""],
                vec![bearer(a, None, None), Challenge::Basic],
            ),
            (&["realm=\"x\", Basic"], vec![Challenge::Basic]),
            (&["Bearer realm=\"https://a/t"], vec![bearer(a, None, None)]),
        ];
        for (headers, expected) in table {
            assert_eq!(read(headers).usable, expected, "{headers:?}");
        }
    }

    /// Case from the field 16.
    #[test]
    fn challenge_that_cannot_be_answered_says_why() {
        for (header, expected) in [
            ("Bearer", "names no realm"),
            ("Bearer realm=", "names no realm"),
            ("Bearer realm=\"https://u:secret@a/t\"", "its realm \"a/t\" is no address"),
            ("Bearer realm=\"https://\u{1b}[31m:x\"", "its realm \"https://\\u{1b}[31m:x\" is no"),
            ("Negotiate", "a login by \"Negotiate\""),
            ("NTLM abc", "a login by"),
        ] {
            // A header holds no control character, so this one stands in for what it could hold.
            let header = header.replace('\u{1b}', "\u{80}");
            let expected = expected.replace("\\u{1b}", "\\u{80}");
            let challenges = read(&[&header]);
            assert!(challenges.usable.is_empty(), "{header}");
            let said = challenges.defect.map(|defect| defect.to_string()).unwrap_or_default();
            assert!(said.contains(&expected), "{header}: {said}");
        }
        assert_eq!(read(&[]), Challenges::default());
        assert_eq!(read(&["", " , "]), Challenges::default());
    }
}
