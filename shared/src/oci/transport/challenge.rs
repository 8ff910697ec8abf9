//! Reads the challenges of a 401 (RFC 9110, section 11.6.1).

use http_auth::ChallengeParser;
use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

#[derive(Clone)]
pub(super) struct Realm {
    pub(super) url: Url,
    pub(super) service: Option<String>,
}

/// A challenge that the client can answer.
pub(super) enum Challenge {
    Basic,
    Bearer { realm: Realm, scope: Option<String> },
}

/// Returns the challenges that the client can answer. Those with a realm come first, because a
/// registry that offers both prefers tokens.
pub(super) fn challenges_in(headers: &HeaderMap) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    // The parser stops at a malformed challenge.
    for challenge in values.flat_map(|value| ChallengeParser::new(value).map_while(Result::ok)) {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if challenge.scheme.eq_ignore_ascii_case("bearer") {
            let url = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
            let Some(url) = url.filter(|url| url.username().is_empty() && url.password().is_none())
            else {
                continue;
            };
            let realm = Realm { url, service: parameter("service") };
            challenges.insert(0, Challenge::Bearer { realm, scope: parameter("scope") });
        }
    }
    challenges
}
