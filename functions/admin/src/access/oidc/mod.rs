//! Sign-in with OpenID Connect: the code flow with PKCE, a session in a cookie, and bearer tokens
//! for programs.

mod provider;
mod session;
mod token;

pub(crate) use provider::{Began, OidcProvider, Unfinished, error_code};
pub(crate) use session::{Begun, Carried, session_user};
pub(crate) use token::OidcIdentity;
