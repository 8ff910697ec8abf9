//! Sign-in with OpenID Connect: the code flow with PKCE, a session in a cookie, and bearer tokens
//! for programs.

mod provider;
mod session;
mod token;

pub(crate) use provider::{LoginError, LoginRequest, OidcProvider, error_code};
pub(crate) use session::{PendingLogin, SignInCookie, session_user};
pub(crate) use token::OidcIdentity;
