//! The reasons behind a fault.

use std::error::Error as _;
use std::fmt;

use crate::oci::limits::{CONNECT_DEADLINE, TEXT_MAX};

/// Longest part of a challenge that an error shows, in characters.
const SHOWN_MAX: usize = 200;

/// The reason why the registry refuses a request, as far as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No credentials are configured.
    NoCredentials,
    /// The configured credentials are good, and do not permit this request.
    NotPermitted,
    /// The client cannot answer the registry's challenge.
    Challenge(ChallengeDefect),
    /// The registry's address has a path, and no registry seems to answer there.
    AddressHasPath(String),
}

/// The rule that forbids to send the password to a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealmRule {
    /// The realm is not on https.
    NotHttps,
    /// The realm is on another host than the registry.
    ForeignHost(String),
}

/// The reason why a body is not a list of names.
#[derive(Debug, thiserror::Error)]
pub enum NotAList {
    /// It is not JSON, or not all of it arrived.
    #[error(transparent)]
    Syntax(#[from] json_event_parser::JsonSyntaxError),
    /// It is other JSON.
    #[error("it is not an object with a list of tags or repositories")]
    Shape,
    /// A single text is too long.
    #[error("it has a text of more than {TEXT_MAX} bytes")]
    LongText,
}

/// The reason why the client cannot answer a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeDefect {
    /// The scheme is neither Basic nor Bearer.
    UnknownScheme(String),
    /// The challenge names no realm, so there is no address to ask for a token.
    NoRealm,
    /// The realm is no address, or holds credentials.
    WrongRealm(String),
}

/// The innermost reason why a connection failed. The outer errors only say that a request failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Transport(pub(super) String);

/// The reason why the client must not connect to a name. The client's error carries it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::oci) struct Refusal(pub(in crate::oci) String);

impl From<reqwest::Error> for Transport {
    fn from(error: reqwest::Error) -> Self {
        // Only the connection has a timeout of its own, so a timeout here comes from the
        // connection.
        if error.is_timeout() {
            return Self(format!("no connection within {} s", CONNECT_DEADLINE.as_secs()));
        }
        let error = error.without_url();
        let mut cause = error.source();
        let mut innermost = error.to_string();
        while let Some(inner) = cause {
            innermost = inner.to_string();
            cause = inner.source();
        }
        Self(innermost)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => f.write_str(
                "it is private or not there, and without oci.credentialsSecretArn the client has \
                 no credentials",
            ),
            Self::NotPermitted => f.write_str(
                "the credentials of oci.credentialsSecretArn are accepted and do not permit this, \
                 or it is not there",
            ),
            Self::Challenge(defect) => write!(f, "{defect}"),
            Self::AddressHasPath(path) => write!(
                f,
                "no registry seems to answer below {path:?}; if it is not part of the registry's \
                 address, leave it out of registryUrl"
            ),
        }
    }
}

impl fmt::Display for RealmRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttps => f.write_str(
                ", which is not https: a password goes only to the registry itself, or over https \
                 to its host and to the hosts in ALLOWED_ADDRESSES",
            ),
            Self::ForeignHost(host) => {
                write!(f, "; if that is right, add {host} to ALLOWED_ADDRESSES")
            }
        }
    }
}

/// Says what is wrong, without control characters and not at any length.
impl fmt::Display for ChallengeDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| text.chars().take(SHOWN_MAX).collect::<String>();
        match self {
            Self::UnknownScheme(name) => {
                write!(f, "it asks for a login by {:?}, and not by Basic or Bearer", shown(name))
            }
            Self::NoRealm => f.write_str("its Bearer challenge names no realm to get a token from"),
            Self::WrongRealm(realm) => write!(f, "its realm {:?} is no address", shown(realm)),
        }
    }
}
