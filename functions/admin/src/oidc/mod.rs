//! Sign-in with OpenID Connect: the code flow with PKCE, a session in a cookie, and bearer tokens
//! for programs.

mod login;
mod provider;
mod session;
mod token;

pub(crate) use login::routes;
pub(crate) use provider::Provider;
pub(crate) use session::session_user;
pub(crate) use token::Identity;
