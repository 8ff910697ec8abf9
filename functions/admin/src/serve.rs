//! The two ways to be asked: behind a Function URL in Lambda, and over HTTP elsewhere.

use anyhow::{Context as _, anyhow};
use shared::config::Admin;
use tokio::net::TcpListener;
use tracing::info;

use crate::app::{self, App};

/// Serves until there is nobody to serve, which outside Lambda is never.
///
/// # Errors
/// Settings that cannot be used; an address that is taken; a Runtime API that fails.
pub(crate) async fn serve(settings: Admin) -> anyhow::Result<()> {
    let address = settings.address;
    let app = App::new(settings).await?;
    let router = app::router(app.clone());
    let Some(address) = address else {
        return lambda_http::run(router).await.map_err(|error| anyhow!("the Lambda Runtime API failed: {error}"));
    };
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address} (ADMIN_ADDR)"))?;
    let url = format!("http://{}/admin", listener.local_addr()?);
    info!(url, "listening");
    tokio::select! {
        served = axum::serve(listener, router) => served.context("cannot serve"),
        () = app.trigger.work(&app.database) => Ok(()),
    }
}
