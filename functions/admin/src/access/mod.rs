//! The access checks: the site that a request comes from, its user, and the token of a form.

pub(crate) mod csrf;
pub(crate) mod oidc;
pub(crate) mod origin;
mod settings;
pub(crate) mod user;

pub(crate) use settings::AccessSettings;
