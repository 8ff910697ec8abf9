//! How we log in to a registry.

use std::fmt;
use std::sync::Arc;

use crate::aws::EcrLogin;

/// How we log in to a registry.
#[derive(Clone)]
pub enum Login {
    /// Not at all; where the registry names a realm, with a token for anybody.
    Anonymous,
    /// By name, sent to the registry or to its realm, whichever it asks for.
    Password {
        /// The user's name.
        username: String,
        /// The user's password, or the token that stands for one.
        password: String,
    },
    /// With a bearer token that is sent to the registry as it is.
    Token(String),
    /// With a token of ECR's own service.
    Ecr(Arc<EcrLogin>),
}

/// Shows no secret.
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
