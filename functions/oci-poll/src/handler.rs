//! Dispatches one invocation to what it asks for.

use serde_json::Value;
use shared::metrics::Metric;
use tokio::time::Instant;

use crate::context::Context;
use crate::diagnose::diagnose;
use crate::payload::Payload;
use crate::poll::handle_poll;
use crate::rescan::rescan;

/// Takes an instance and polls it, or reads one chart of it again. Returns a [`Summary`]. Or
/// says why a chart is or is not there, and returns a `Live`.
///
/// # Errors
/// A payload of another shape; a database or a cursor that cannot be used; what keeps one chart
/// from being read. What the registry does wrong while it is polled, or asked for a diagnosis,
/// is in the answer.
pub(crate) async fn handle(
    context: &Context,
    payload: Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let payload = Payload::read(payload)?;
    let instance = payload.instance().name.clone();
    let answer = answer(context, payload, deadline).await;
    let asked = context.clients.take_asked(&instance);
    Metric::RegistryRequests.count(&instance, asked.requests);
    Metric::RegistryThrottled.count(&instance, asked.throttled);
    answer
}

async fn answer(context: &Context, payload: Payload, deadline: Instant) -> anyhow::Result<Value> {
    match payload {
        Payload::Poll(instance) => handle_poll(context, instance, deadline).await,
        Payload::Rescan(instance, subject) => {
            let client =
                context.clients.client(&instance, &context.settings).await?.until(deadline);
            let target = (&instance, subject);
            rescan(&context.database, client, target, context.formats.as_ref(), deadline).await
        }
        Payload::Diagnose(instance, target) => {
            let client = context.clients.client(&instance, &context.settings).await;
            Ok(serde_json::to_value(diagnose(client, &instance, &target, deadline).await)?)
        }
    }
}
