//! The admin pages of a run.

use std::sync::Arc;

use tests::admin::Admin;
use tests::function::Function;
use tests::function_url::Endpoint;

use super::output::progress;

/// The admin pages, and the functions that they invoke.
pub(super) struct Site {
    _admin: Admin,
    _lambda: Endpoint,
}

impl Site {
    /// Starts the admin pages and a Lambda API for the functions.
    pub(super) async fn start(
        settings: &[(&str, &str)],
        functions: impl IntoIterator<Item = Arc<Function>>,
    ) -> anyhow::Result<Self> {
        let lambda = Endpoint::lambda(functions).await?;
        let url = lambda.url();
        let admin =
            Admin::start(&[settings, &Endpoint::lambda_settings(&url)[..]].concat()).await?;
        progress(&format!("admin pages at {}/admin", admin.url()));
        Ok(Self { _admin: admin, _lambda: lambda })
    }
}
