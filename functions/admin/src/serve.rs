//! Serves requests: behind a Function URL in Lambda, and over HTTP elsewhere.

use shared::config::Admin;
use shared::function_url::{self, ServedAt};

use crate::app::App;
use crate::router::router;

/// Serves until Lambda ends the process. Outside Lambda it never returns.
///
/// # Errors
/// A setting cannot be used, the address is taken, or the Lambda Runtime API fails.
pub(crate) async fn serve(settings: Admin) -> anyhow::Result<()> {
    let address = settings.address;
    let app = App::new(settings)?;
    let router = router(app.clone());
    let Some(address) = address else {
        return function_url::serve(router, ServedAt::Lambda).await;
    };
    let place = ServedAt::Local { address, variable: "ADMIN_ADDR", path: "/admin" };
    tokio::select! {
        served = function_url::serve(router, place) => served,
        () = app.trigger.work(&app.database) => Ok(()),
    }
}
