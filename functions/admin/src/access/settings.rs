//! How users sign in, and whether browsers use TLS.

use std::sync::Arc;

use shared::config::AdminAuth;

use super::oidc::OidcProvider;

/// The settings and the client that the access checks use.
#[derive(Debug, Clone)]
pub(crate) struct AccessSettings {
    /// How users sign in, and who is a site admin.
    pub(crate) auth: Arc<AdminAuth>,
    /// The provider at which users sign in; `None` unless they sign in with OpenID Connect.
    pub(crate) provider: Option<Arc<OidcProvider>>,
    /// Whether browsers use TLS, as they do with a Function URL.
    pub(crate) is_https: bool,
}

impl AccessSettings {
    /// Makes the client of the provider, which connects when it is first used.
    ///
    /// # Errors
    /// The TLS configuration cannot be used.
    pub(crate) fn new(auth: AdminAuth, is_https: bool) -> anyhow::Result<Self> {
        let provider = match &auth {
            AdminAuth::Oidc { secret_arn, .. } => {
                Some(Arc::new(OidcProvider::new(secret_arn.clone())?))
            }
            AdminAuth::None | AdminAuth::Iam { .. } => None,
        };
        Ok(Self { auth: Arc::new(auth), provider, is_https })
    }
}
