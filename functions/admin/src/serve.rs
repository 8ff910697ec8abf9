//! Serves requests: behind a Function URL in Lambda, and over HTTP elsewhere.

use std::fmt::Write as _;

use anyhow::{Context as _, anyhow};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Service as _, lambda_runtime, service_fn};
use shared::config::Admin;
use tokio::net::TcpListener;
use tracing::info;

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
        let adapter = Adapter::from(router);
        let service = service_fn(move |event: LambdaEvent<LambdaRequest>| {
            adapter.clone().call(without_panics(event))
        });
        return lambda_runtime::run(service)
            .await
            .map_err(|error| anyhow!("the Lambda Runtime API failed: {error}"));
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address} (ADMIN_ADDR)"))?;
    let url = format!("http://{}/admin", listener.local_addr()?);
    info!(url, "listening");
    tokio::select! {
        served = axum::serve(listener, router) => served.context("cannot serve"),
        () = app.trigger.work(&app.database) => Ok(()),
    }
}

/// Replaces the parts of a request at which `lambda_http` panics: a client may send a host or a
/// query that is not valid in an address.
fn without_panics(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    let LambdaRequest::ApiGatewayV2(request) = &mut event.payload else { return event };
    // A client may send this header with any value. Without it `lambda_http` assumes https, as the
    // Function URL always uses.
    request.headers.remove("x-forwarded-proto");
    let is_address = |host: &str| {
        host.parse::<Authority>().is_ok() && url::Url::parse(&format!("https://{host}")).is_ok()
    };
    if !request.headers.get(HOST).is_some_and(|host| host.to_str().is_ok_and(is_address)) {
        request.headers.remove(HOST);
        let host =
            request.request_context.domain_name.as_deref().and_then(|host| host.parse().ok());
        request.headers.extend(host.map(|host| (HOST, host)));
    }
    request.raw_query_string = request.raw_query_string.as_deref().map(encoded);
    event
}

/// Percent-encodes the bytes that a query may not contain.
fn encoded(query: &str) -> String {
    let mut text = String::with_capacity(query.len());
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
    }
    text
}
