//! Who may do what: where a request comes from, who sends it, and whether a form is ours.

pub(crate) mod csrf;
pub(crate) mod oidc;
pub(crate) mod origin;
mod settings;
pub(crate) mod user;

pub(crate) use settings::AccessSettings;
