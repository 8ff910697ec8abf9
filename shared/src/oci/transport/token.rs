//! Reads a realm's answer ("Token Authentication Specification" of Docker Distribution, section
//! "Token Response Fields").

use std::collections::HashMap;
use std::time::Duration;

use serde_json::value::RawValue;

/// The validity of a token if the realm names none, and the shortest validity that is accepted.
const VALIDITY_MIN: Duration = Duration::from_mins(1);

/// The longest time that a token is kept.
const VALIDITY_MAX: Duration = Duration::from_hours(12);

/// A token as a realm issues it.
#[derive(PartialEq, Eq)]
pub(super) struct IssuedToken {
    pub(super) text: String,
    /// The time from the request on in which the token is valid.
    pub(super) validity: Duration,
}

impl IssuedToken {
    /// Reads the body of an answer. A realm may send `token`, `access_token` or both, and one of
    /// them may be empty. Returns `None` if there is no token that a header can carry.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        // Raw values, because a field that is not needed, or makes no sense, must not cost the
        // login.
        let fields: HashMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
        let text = |name| serde_json::from_str::<String>(fields.get(name)?.get()).ok();
        let is_usable =
            |token: &String| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        let text = ["token", "access_token"].into_iter().filter_map(text).find(is_usable)?;
        let validity = fields.get("expires_in").and_then(|value| seconds(value.get()));
        let validity = validity.unwrap_or(VALIDITY_MIN).clamp(VALIDITY_MIN, VALIDITY_MAX);
        Some(Self { text, validity })
    }
}

/// Reads a number of seconds, which some realms send as a text or with a fraction. Returns `None`
/// if it is no time.
fn seconds(json: &str) -> Option<Duration> {
    let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
    let seconds: f64 = text.trim().parse().ok()?;
    // More seconds than a `Duration` can hold are more than the longest validity too.
    let shortest_of =
        |seconds: f64| Duration::from_secs_f64(seconds.min(VALIDITY_MAX.as_secs_f64()));
    (seconds > 0.0).then(|| shortest_of(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<(String, u64)> {
        let token = IssuedToken::read(body.as_bytes())?;
        Some((token.text, token.validity.as_secs()))
    }

    /// Case from the field 1.
    #[test]
    fn first_token_that_is_not_empty_is_used() {
        for (body, expected) in [
            (r#"{"token":"a"}"#, Some("a")),
            (r#"{"access_token":"b"}"#, Some("b")),
            (r#"{"token":"a","access_token":"a","expires_in":300}"#, Some("a")),
            (r#"{"access_token":"b","token":"a"}"#, Some("a")),
            (r#"{"token":"a","access_token":"","expires_in":1800,"issued_at":"x"}"#, Some("a")),
            (r#"{"token":"","access_token":"b"}"#, Some("b")),
            (r#"{"token":null,"access_token":"b"}"#, Some("b")),
            (r#"{"token":{"a":1},"access_token":"b"}"#, Some("b")),
            (r#"{"token":"a\nb","access_token":"b"}"#, Some("b")),
            (r#"{"token":"a","token":"c"}"#, Some("c")),
            (r#"{"token":"","access_token":""}"#, None),
            (r#"{"token":"a b"}"#, None),
            (r#"{"tokn":"a"}"#, None),
            (r#"["token"]"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(read(body).map(|(text, _)| text).as_deref(), expected, "{body}");
        }
    }

    /// Case from the field 2.
    #[test]
    fn validity_that_makes_no_sense_counts_as_a_minute() {
        for (expires_in, expected) in [
            ("300", 300),
            (r#""300""#, 300),
            ("300.75", 300),
            (r#"" 3599.5 ""#, 3599),
            ("3e2", 300),
            ("5", 60),
            ("0", 60),
            ("-300", 60),
            (r#""soon""#, 60),
            (r#""""#, 60),
            ("null", 60),
            ("[300]", 60),
            (r#""NaN""#, 60),
            ("1e999", 12 * 3600),
            ("18446744073709551616", 12 * 3600),
        ] {
            let body = format!(r#"{{"token":"a","expires_in":{expires_in}}}"#);
            assert_eq!(read(&body), Some(("a".to_owned(), expected)), "{expires_in}");
        }
        assert_eq!(read(r#"{"token":"a"}"#), Some(("a".to_owned(), 60)));
    }
}
