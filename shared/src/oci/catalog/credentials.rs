//! The credentials for a vendor's list of repositories.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The credentials for a vendor's list of repositories.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ListingCredentials {
    /// The user's name.
    pub username: Option<String>,
    /// The user's password, with which charts are pulled.
    pub password: Option<String>,
    /// The token for listing, if it is another than the password.
    pub token: Option<String>,
}

impl ListingCredentials {
    /// Returns the token for listing, or else the password.
    pub(super) fn secret(&self) -> Option<&str> {
        self.token.as_deref().or(self.password.as_deref())
    }

    /// Returns the user's name and secret as Basic authentication writes them.
    pub(super) fn basic(&self) -> Option<String> {
        let (username, secret) = (self.username.as_deref()?, self.secret()?);
        Some(format!("Basic {}", STANDARD.encode(format!("{username}:{secret}"))))
    }

    /// Returns whether there is any secret.
    pub(super) fn has_secret(&self) -> bool {
        self.secret().is_some()
    }
}

/// Formats no secret.
impl fmt::Debug for ListingCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_secret = self.has_secret();
        f.debug_struct("ListingCredentials")
            .field("has_secret", &has_secret)
            .finish_non_exhaustive()
    }
}
