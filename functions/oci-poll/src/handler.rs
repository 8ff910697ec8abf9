//! Dispatches one invocation to the module of its request.

use serde_json::Value;
use tokio::time::Instant;

use crate::context::PollContext;
use crate::diagnose::handle_diagnose;
use crate::hints::handle_hints;
use crate::instance::Instance;
use crate::orphans::handle_orphans;
use crate::payload::{OciPayload, OciRequest};
use crate::poll::handle_poll;
use crate::release::handle_release;
use crate::release_hidden::handle_release_hidden;
use crate::rescan::handle_rescan;
use crate::rescan_all::{handle_rescan_all, resume_rescan};

/// Handles one payload. Returns a summary, the answer to a diagnosis, or the messages of a batch
/// that failed.
///
/// # Errors
/// Fails on an unknown payload, if the database or the cursor cannot be used, or if a rescan cannot
/// read its chart. Errors of the registry during a pass or a diagnosis are part of the answer.
pub(crate) async fn handle(
    context: &PollContext,
    payload: Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let (instance, request) = match OciPayload::read(payload)? {
        OciPayload::OfInstance { instance, request } => (instance, request),
        OciPayload::Hints(records) => return handle_hints(context, &records, deadline).await,
        OciPayload::Orphans(registry) => return handle_orphans(context, &registry, deadline).await,
    };
    let answer = answer(context, &instance, request, deadline).await;
    context.clients.measure_requests(&instance.name);
    answer
}

async fn answer(
    context: &PollContext,
    instance: &Instance,
    request: OciRequest,
    deadline: Instant,
) -> anyhow::Result<Value> {
    match request {
        OciRequest::Poll(due) => {
            let answer = handle_poll(context, instance, due, deadline).await;
            resume_rescan(context, instance, deadline).await;
            answer
        }
        OciRequest::Rescan(subject) => handle_rescan(context, instance, subject, deadline).await,
        OciRequest::RescanAll => handle_rescan_all(context, instance, deadline).await,
        OciRequest::Release(release) => handle_release(context, instance, release, deadline).await,
        OciRequest::ReleaseHidden(repository) => {
            handle_release_hidden(context, instance, &repository, deadline).await
        }
        OciRequest::Diagnose(target) => handle_diagnose(context, instance, &target, deadline).await,
    }
}
