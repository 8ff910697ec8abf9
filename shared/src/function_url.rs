//! Serves HTTP requests: behind a Function URL in Lambda, and at a local address elsewhere.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, anyhow};
use axum::Router;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Service as _, lambda_runtime, service_fn};
use tokio::net::TcpListener;
use tracing::info;

/// Says where a function serves its requests.
#[derive(Debug, Clone, Copy)]
pub enum ServedAt {
    /// Behind a Function URL.
    Lambda,
    /// At a local address.
    Local {
        /// The address to listen at.
        address: SocketAddr,
        /// The variable that sets the address.
        variable: &'static str,
        /// The path that the log shows after the address.
        path: &'static str,
    },
}

/// Serves until the process ends.
///
/// # Errors
/// Fails if the address is taken, or if the Lambda Runtime API fails.
pub async fn serve(router: Router, served_at: ServedAt) -> anyhow::Result<()> {
    let ServedAt::Local { address, variable, path } = served_at else {
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
        .with_context(|| format!("cannot listen at {address} ({variable})"))?;
    let url = format!("http://{}{path}", listener.local_addr()?);
    info!(url, "listening");
    axum::serve(listener, router).await.context("cannot serve")
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
