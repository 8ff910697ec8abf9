//! Tokens that a vendor issues for its API.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

/// The validity of a token if the vendor names none. Docker Hub's are valid for longer.
const VALIDITY_USUAL: Duration = Duration::from_mins(5);

/// The longest time that a token is kept.
const VALIDITY_MAX: Duration = Duration::from_hours(1);

/// A token that a vendor issued for its API.
pub(super) struct AccessToken {
    pub(super) text: String,
    expires_at: Instant,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: Option<u64>,
}

impl AccessToken {
    /// Reads the answer to a login. Returns `None` if it has no token that a header can carry.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Issued { access_token: text, expires_in } = serde_json::from_slice(body).ok()?;
        let is_usable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let validity = expires_in.map_or(VALIDITY_USUAL, Duration::from_secs).min(VALIDITY_MAX);
        // The token is used for nine tenths of its validity, so that it does not expire during a
        // request.
        let expires_at = Instant::now() + validity * 9 / 10;
        is_usable.then_some(Self { text, expires_at })
    }

    /// Returns whether the token can still be used.
    pub(super) fn is_valid(&self) -> bool {
        self.expires_at > Instant::now()
    }
}

/// Formats no token.
impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken")
    }
}
