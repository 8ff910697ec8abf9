//! The credentials for a registry.

use std::fmt;
use std::sync::Arc;

use crate::aws::EcrLogin;

/// The credentials for a registry.
#[derive(Clone)]
pub enum Login {
    /// No credentials. If the registry names a realm, the client gets an anonymous token there.
    Anonymous,
    /// A user name and password. The client sends them to the registry or its realm, whichever
    /// asks.
    Password {
        /// The user's name.
        username: String,
        /// The user's password, or a token that is used as one.
        password: String,
    },
    /// A bearer token that the client sends to the registry unchanged.
    Token(String),
    /// A token from the ECR service.
    Ecr(Arc<EcrLogin>),
}

/// Formats the kind of login, but no secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password",
            Self::Token(_) => "Token",
            Self::Ecr(_) => "Ecr",
        })
    }
}
