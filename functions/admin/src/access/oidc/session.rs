//! What a browser carries: the beginning of a login, and then a session. Both are encrypted, and
//! worth nothing elsewhere than in the browser that got them.

use axum::http::{HeaderMap, HeaderValue};
use cookie::time::OffsetDateTime;
use cookie::{Cookie, CookieJar, Key, SameSite};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::token::OidcIdentity;
use crate::http::problem::Problem;

/// How long somebody stays signed in, and how long a login may take, in seconds.
const SESSION: i64 = 12 * 60 * 60;
const LOGIN: i64 = 10 * 60;

/// Largest cookie that browsers keep, in bytes.
const COOKIE_MAX: usize = 4096;

/// A login that was begun.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// Where its user wanted to go.
    pub(crate) next: String,
}

/// A value with the time at which it is worth nothing any more. A cookie's own is only a request to
/// the browser.
#[derive(Debug, Serialize, Deserialize)]
struct Until<T> {
    expires_at: i64,
    value: T,
}

/// Cookies of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Login,
    Session,
}

impl Carried {
    /// With the prefix no other host can set the cookie, and it needs TLS.
    fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Login, true) => "__Host-login",
            (Self::Login, false) => "login",
            (Self::Session, true) => "__Host-session",
            (Self::Session, false) => "session",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Login => LOGIN,
            Self::Session => SESSION,
        }
    }

    /// The header that gives a browser a value.
    ///
    /// # Errors
    /// When it is more than a browser keeps.
    pub(crate) fn give(
        self,
        key: &Key,
        is_https: bool,
        value: &impl Serialize,
    ) -> Result<HeaderValue, Problem> {
        let too_large =
            || Problem::bad_request("what the session must hold is more than a browser keeps");
        let expires_at = OffsetDateTime::now_utc().unix_timestamp() + self.seconds();
        let text = serde_json::to_string(&Until { expires_at, value }).map_err(|_| too_large())?;
        let mut jar = CookieJar::new();
        jar.private_mut(key).add(Cookie::new(self.name(is_https), text));
        let mut cookie = jar.get(self.name(is_https)).ok_or_else(too_large)?.clone();
        limit(&mut cookie, is_https, self.seconds());
        let header = HeaderValue::from_str(&cookie.to_string()).ok();
        header.filter(|header| header.len() <= COOKIE_MAX).ok_or_else(too_large)
    }

    /// The header that takes it away again.
    pub(crate) fn take(self, is_https: bool) -> Option<HeaderValue> {
        let mut cookie = Cookie::new(self.name(is_https), "");
        limit(&mut cookie, is_https, 0);
        HeaderValue::from_str(&cookie.to_string()).ok()
    }

    /// What a browser carries, if we gave it and it is not too old.
    pub(crate) fn read<T: DeserializeOwned>(
        self,
        key: &Key,
        is_https: bool,
        headers: &HeaderMap,
    ) -> Option<T> {
        let name = self.name(is_https);
        let value = crate::http::cookies::value(headers, name)?;
        let mut jar = CookieJar::new();
        jar.add_original(Cookie::new(name, value.to_owned()));
        let text = jar.private(key).get(name)?.value().to_owned();
        let until: Until<T> = serde_json::from_str(&text).ok()?;
        (until.expires_at > OffsetDateTime::now_utc().unix_timestamp()).then_some(until.value)
    }
}

/// Sent along when somebody comes back from the provider, but not with what other pages send.
fn limit(cookie: &mut Cookie<'_>, is_https: bool, seconds: i64) {
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(is_https);
    cookie.set_max_age(cookie::time::Duration::seconds(seconds));
}

/// Who is signed in in this browser.
pub(crate) fn session_user(key: &Key, is_https: bool, headers: &HeaderMap) -> Option<OidcIdentity> {
    Carried::Session.read(key, is_https, headers)
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn carried(given: &HeaderValue) -> HeaderMap {
        let cookie = given.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn a_session_is_ours_or_nothing() {
        let (key, other) = (Key::derive_from(&[1; 32]), Key::derive_from(&[2; 32]));
        let jane = OidcIdentity {
            email: "jane@example.com".to_owned(),
            groups: vec!["platform".to_owned()],
        };
        let given = Carried::Session.give(&key, true, &jane).unwrap();
        let text = given.to_str().unwrap();
        assert!(text.starts_with("__Host-session=") && !text.contains("jane"), "{text}");
        for flag in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=43200"] {
            assert!(text.contains(flag), "{text}");
        }
        assert_eq!(session_user(&key, true, &carried(&given)), Some(jane.clone()));
        assert_eq!(session_user(&other, true, &carried(&given)), None);
        assert_eq!(session_user(&key, false, &carried(&given)), None);
        // A login is no session, by whatever name it comes.
        let begun =
            Begun { state: "s".into(), nonce: "n".into(), verifier: "v".into(), next: "/".into() };
        let login = Carried::Login.give(&key, true, &begun).unwrap();
        let renamed = login.to_str().unwrap().replace("__Host-login", "__Host-session");
        assert_eq!(session_user(&key, true, &carried(&renamed.parse().unwrap())), None);
        let mut changed = text.to_owned();
        changed.replace_range(20..21, if &text[20..21] == "A" { "B" } else { "A" });
        assert_eq!(session_user(&key, true, &carried(&changed.parse().unwrap())), None);
    }

    #[test]
    fn what_is_too_old_is_nothing() {
        let key = Key::derive_from(&[1; 32]);
        let mut jar = CookieJar::new();
        let jane = OidcIdentity { email: "jane@example.com".to_owned(), groups: vec![] };
        let expires_at = OffsetDateTime::now_utc().unix_timestamp() - 1;
        let text = serde_json::to_string(&Until { expires_at, value: jane }).unwrap();
        jar.private_mut(&key).add(Cookie::new("session", text));
        let given: HeaderValue = jar.get("session").unwrap().to_string().parse().unwrap();
        assert_eq!(session_user(&key, false, &carried(&given)), None);
    }
}
