//! Dispatches one invocation to the module of its request.

use serde_json::Value;
use tokio::time::Instant;

use crate::backfill::handle_backfill;
use crate::batch::{handle_batch, handle_event};
use crate::context::Context;
use crate::diagnose::handle_diagnose;
use crate::payload::EcrRequest;
use crate::rescan::handle_rescan;

/// Handles one payload and returns its answer. A batch answers
/// `{"batchItemFailures":[{"itemIdentifier":…}]}`, a single event `{}`.
///
/// # Errors
/// Fails on an unknown payload, or if a single event, a rescan or a whole backfill fails. A batch
/// fails message by message.
pub(crate) async fn handle(
    context: &Context,
    payload: Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let answer = dispatch(context, EcrRequest::read(payload)?, deadline).await;
    context.clients.measure_requests(context.measured_name());
    answer
}

async fn dispatch(
    context: &Context,
    payload: EcrRequest,
    deadline: Instant,
) -> anyhow::Result<Value> {
    match payload {
        EcrRequest::Batch(records) => handle_batch(context, &records, deadline).await,
        EcrRequest::Event(event) => handle_event(context, &event, deadline).await,
        EcrRequest::Backfill(request) => handle_backfill(context, &request, deadline).await,
        EcrRequest::Rescan(subject) => handle_rescan(context, subject, deadline).await,
        EcrRequest::Diagnose(target) => handle_diagnose(context, &target, deadline).await,
    }
}
