//! Answers a webhook: checks its address, size and proof, reads its body, and sends hints.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use shared::metrics::{self, Collector, Metric};
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::address::Address;
use crate::context::WebhookContext;
use crate::hint;
use crate::reading::{Asks, Reading};
use crate::senders;

/// The largest body, in bytes.
const BODY_MAX: usize = 256 * 1024;

/// The time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Returns the one route: every path is an instance. Writes the metrics after each answer.
pub(crate) fn router(context: WebhookContext, collector: Option<&'static Collector>) -> Router {
    let flush = move |response: Response| async move {
        if let Some(collector) = collector {
            metrics::flush(collector);
        }
        response
    };
    Router::new().fallback(answer).layer(map_response(flush)).with_state(Arc::new(context))
}

/// Answers a webhook, and counts it if its instance is known.
async fn answer(State(context): State<Arc<WebhookContext>>, request: Request) -> Response {
    let instance = Address::read(request.uri().path()).map(|address| address.instance);
    let response = answer_uncounted(&context, request).await;
    if let Some(instance) = instance.filter(|instance| context.proofs.contains_key(instance)) {
        let status = response.status();
        if status == StatusCode::ACCEPTED {
            Metric::WebhooksTaken.count(&instance, 1);
        } else if status.is_client_error() || status.is_server_error() {
            Metric::WebhooksRefused.count(&instance, 1);
        }
    }
    response
}

async fn answer_uncounted(context: &WebhookContext, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !matches!(parts.method, Method::POST | Method::OPTIONS) {
        return (StatusCode::METHOD_NOT_ALLOWED, [("allow", "POST")]).into_response();
    }
    let body = match read_body(&parts.headers, body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let Some(address) = Address::read(parts.uri.path()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    // An unknown instance gets the same answer as a wrong proof, so that names cannot be guessed.
    let Some(proof) = context.proofs.get(&address.instance) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let instance = address.instance.as_str();
    match proof.check(&context.google, &address, &parts.headers, &body).await {
        Ok(true) => {}
        Ok(false) => {
            info!(instance, "the proof is wrong or missing");
            return StatusCode::UNAUTHORIZED.into_response();
        }
        Err(error) => {
            error!(instance, error = %format!("{error:#}"), "the proof cannot be checked");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    if parts.method == Method::OPTIONS {
        return handshake(&parts.headers);
    }
    let reading = senders::read(&parts.headers, &body);
    drop(body);
    take(context, instance, reading).await
}

/// Reads a body within its limits. A size that is announced and too large is not read at all.
async fn read_body(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, StatusCode> {
    let announced = headers.get("content-length").and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_MAX) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match timeout(BODY_TIME, to_bytes(body, BODY_MAX)).await {
        Ok(body) => body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Answers Event Grid's question whether it may send events here (Abuse
/// Protection in the webhook specification of `CloudEvents`).
fn handshake(headers: &HeaderMap) -> Response {
    let Some(origin) = headers.get("webhook-request-origin") else {
        return (StatusCode::METHOD_NOT_ALLOWED, [("allow", "POST")]).into_response();
    };
    let any = HeaderValue::from_static("*");
    let headers = [("webhook-allowed-origin", origin.clone()), ("webhook-allowed-rate", any)];
    (StatusCode::OK, headers).into_response()
}

/// Sends the hints of a body, and answers 202 once the queue has all of them.
async fn take(context: &WebhookContext, instance: &str, reading: Reading) -> Response {
    let received_at = OffsetDateTime::now_utc();
    let shape = reading.shape;
    let messages = match reading.asks {
        Asks::Ping => {
            info!(instance, shape, "a delivery was tested");
            return StatusCode::OK.into_response();
        }
        Asks::Echo(code) => {
            let body = json!({"validationResponse": code}).to_string();
            return ([("content-type", "application/json")], body).into_response();
        }
        Asks::Pass => {
            warn!(instance, shape, "the body does not say what changed: the instance is looked at");
            vec![hint::pass(instance, received_at)]
        }
        Asks::Looks(mentions) => hint::messages(instance, &mentions, received_at),
    };
    if messages.is_empty() {
        debug!(instance, shape, "nothing to look at");
        return StatusCode::ACCEPTED.into_response();
    }
    match context.queue.send(&messages).await {
        Ok(()) => {
            info!(instance, shape, hints = messages.len(), "hints sent");
            StatusCode::ACCEPTED.into_response()
        }
        Err(error) => {
            error!(instance, shape, error = %format!("{error:#}"), "the hints were not sent");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
