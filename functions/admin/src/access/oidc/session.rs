//! The cookies of sign-in: first a pending login, then a session. Both are encrypted.

use axum::http::{HeaderMap, HeaderValue};
use cookie::time::OffsetDateTime;
use cookie::{Cookie, CookieJar, Key, SameSite};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::token::OidcIdentity;
use crate::http::problem::Problem;

/// How long a user stays signed in, in seconds.
const SESSION: i64 = 12 * 60 * 60;

/// How long a login may take, in seconds.
const LOGIN: i64 = 10 * 60;

/// Largest cookie that browsers store, in bytes.
const COOKIE_MAX: usize = 4096;

/// A login that was begun in this browser.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PendingLogin {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// The page that the user wanted, shown after the login.
    pub(crate) next: String,
}

/// A value with the time at which it expires. The `Max-Age` of a cookie is not enough, because a
/// client can ignore it.
#[derive(Debug, Serialize, Deserialize)]
struct Expiring<T> {
    expires_at: i64,
    value: T,
}

/// The cookies of sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInCookie {
    Login,
    Session,
}

impl SignInCookie {
    /// Returns the name. The prefix `__Host-` keeps other hosts from setting the cookie, and
    /// requires TLS.
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

    /// Returns the header that sets the cookie.
    ///
    /// # Errors
    /// The cookie is larger than browsers store.
    pub(crate) fn set(
        self,
        key: &Key,
        is_https: bool,
        value: &impl Serialize,
    ) -> Result<HeaderValue, Problem> {
        let too_large = || Problem::bad_request("the session is larger than a cookie may be");
        let expires_at = OffsetDateTime::now_utc().unix_timestamp() + self.seconds();
        let text =
            serde_json::to_string(&Expiring { expires_at, value }).map_err(|_| too_large())?;
        let mut jar = CookieJar::new();
        jar.private_mut(key).add(Cookie::new(self.name(is_https), text));
        let mut cookie = jar.get(self.name(is_https)).ok_or_else(too_large)?.clone();
        limit(&mut cookie, is_https, self.seconds());
        let header = HeaderValue::from_str(&cookie.to_string()).ok();
        header.filter(|header| header.len() <= COOKIE_MAX).ok_or_else(too_large)
    }

    /// Returns the header that deletes the cookie.
    pub(crate) fn delete(self, is_https: bool) -> Option<HeaderValue> {
        let mut cookie = Cookie::new(self.name(is_https), "");
        limit(&mut cookie, is_https, 0);
        HeaderValue::from_str(&cookie.to_string()).ok()
    }

    /// Returns the value of the cookie, if this program set it and it has not expired.
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
        let expiring: Expiring<T> = serde_json::from_str(&text).ok()?;
        (expiring.expires_at > OffsetDateTime::now_utc().unix_timestamp()).then_some(expiring.value)
    }
}

/// Sets the attributes. `Lax` sends the cookie when the provider redirects the browser back, but
/// not with the forms of other sites.
fn limit(cookie: &mut Cookie<'_>, is_https: bool, seconds: i64) {
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(is_https);
    cookie.set_max_age(cookie::time::Duration::seconds(seconds));
}

/// Returns the user who is signed in in this browser.
pub(crate) fn session_user(key: &Key, is_https: bool, headers: &HeaderMap) -> Option<OidcIdentity> {
    SignInCookie::Session.read(key, is_https, headers)
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn sent_back(given: &HeaderValue) -> HeaderMap {
        let cookie = given.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn session_is_read_only_with_the_key_and_name_that_set_it() {
        let (key, other) = (Key::derive_from(&[1; 32]), Key::derive_from(&[2; 32]));
        let jane = OidcIdentity {
            email: "jane@example.com".to_owned(),
            groups: vec!["platform".to_owned()],
        };
        let given = SignInCookie::Session.set(&key, true, &jane).unwrap();
        let text = given.to_str().unwrap();
        assert!(text.starts_with("__Host-session=") && !text.contains("jane"), "{text}");
        for flag in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=43200"] {
            assert!(text.contains(flag), "{text}");
        }
        assert_eq!(session_user(&key, true, &sent_back(&given)), Some(jane.clone()));
        assert_eq!(session_user(&other, true, &sent_back(&given)), None);
        assert_eq!(session_user(&key, false, &sent_back(&given)), None);
        // A login cookie is no session, even under the name of one.
        let begun = PendingLogin {
            state: "s".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            next: "/".into(),
        };
        let login = SignInCookie::Login.set(&key, true, &begun).unwrap();
        let renamed = login.to_str().unwrap().replace("__Host-login", "__Host-session");
        assert_eq!(session_user(&key, true, &sent_back(&renamed.parse().unwrap())), None);
        let mut changed = text.to_owned();
        changed.replace_range(20..21, if &text[20..21] == "A" { "B" } else { "A" });
        assert_eq!(session_user(&key, true, &sent_back(&changed.parse().unwrap())), None);
    }

    #[test]
    fn expired_session_is_not_read() {
        let key = Key::derive_from(&[1; 32]);
        let mut jar = CookieJar::new();
        let jane = OidcIdentity { email: "jane@example.com".to_owned(), groups: vec![] };
        let expires_at = OffsetDateTime::now_utc().unix_timestamp() - 1;
        let text = serde_json::to_string(&Expiring { expires_at, value: jane }).unwrap();
        jar.private_mut(&key).add(Cookie::new("session", text));
        let given: HeaderValue = jar.get("session").unwrap().to_string().parse().unwrap();
        assert_eq!(session_user(&key, false, &sent_back(&given)), None);
    }
}
