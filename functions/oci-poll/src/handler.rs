//! Dispatches one invocation to the module of its request.

use serde_json::Value;
use shared::metrics::Metric;
use tokio::time::Instant;

use crate::context::PollContext;
use crate::diagnose::handle_diagnose;
use crate::payload::{OciPayload, OciRequest};
use crate::poll::handle_poll;
use crate::rescan::handle_rescan;

/// Handles one payload. Returns a summary, or the answer to a diagnosis.
///
/// # Errors
/// Fails on an unknown payload, if the database or the cursor cannot be used, or if a rescan cannot
/// read its chart. Errors of the registry during a pass or a diagnosis are part of the answer.
pub(crate) async fn handle(
    context: &PollContext,
    payload: Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let OciPayload { instance, request } = OciPayload::read(payload)?;
    let answer = match request {
        OciRequest::Poll => handle_poll(context, &instance, deadline).await,
        OciRequest::Rescan(subject) => handle_rescan(context, &instance, subject, deadline).await,
        OciRequest::Diagnose(target) => {
            handle_diagnose(context, &instance, &target, deadline).await
        }
    };
    let sent = context.clients.take_counts(&instance.name);
    Metric::RegistryRequests.count(&instance.name, sent.requests);
    Metric::RegistryThrottled.count(&instance.name, sent.throttled);
    answer
}
