//! The addresses of the pages, for links and forms.

pub(super) const CHARTS: &str = "/admin/charts";
pub(super) const DIAGNOSE: &str = "/admin/diagnose";
pub(super) const INSTANCES: &str = "/admin/instances";
pub(super) const KINDS: &str = "/admin/kinds";
pub(super) const LOGIN: &str = "/admin/login";
pub(super) const LOGOUT: &str = "/admin/logout";
pub(super) const REGISTRIES: &str = "/admin/helm-registries";
pub(super) const SIGNED_OUT: &str = "/admin/signed-out";
pub(super) const TAG_FORMATS: &str = "/admin/tag-formats";

/// The address to which the provider sends the browser back.
pub(super) const CALLBACK: &str = "/admin/login/callback";
