//! Handles a batch of hints: reads each message on its own, follows those of each instance
//! together, and reports each failed message.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use super::begin_pass::begin_pass;
use super::follow::{BatchedHint, FailedHint, all_failed, follow_hints};
use super::message::PollHint;
use crate::context::PollContext;
use crate::instance::Instance;

/// Limits the time for writing when hints came, because the batch's answer waits for it.
const NOTE_TIME: Duration = Duration::from_millis(500);

/// The hints for one instance.
#[derive(Debug)]
struct InstanceHints<'a> {
    instance: Instance,
    looks: Vec<BatchedHint<'a>>,
    /// Hints that name no repository.
    passes: Vec<BatchedHint<'a>>,
}

/// Handles a batch and answers `{"batchItemFailures":[{"itemIdentifier":…}]}`.
///
/// # Errors
/// Fails if a message without an identifier fails.
pub(crate) async fn handle_hints(
    context: &PollContext,
    records: &[Value],
    deadline: Instant,
) -> anyhow::Result<Value> {
    let started = Instant::now();
    let (mut hints, mut failed) = (Vec::new(), Vec::new());
    for (position, record) in records.iter().enumerate() {
        match PollHint::read(record) {
            Ok(hint) => hints.push((position, hint)),
            Err(error) => failed.push(FailedHint { position, reason: Arc::new(error) }),
        }
    }
    let batched: Vec<BatchedHint<'_>> =
        hints.iter().map(|(position, hint)| BatchedHint { position: *position, hint }).collect();
    failed.extend(follow_all(context, &batched, deadline).await);
    failed.sort_unstable_by_key(|failed| failed.position);
    let failures = failures(records, &failed)?;
    let duration_ms = started.elapsed().as_millis();
    info!(messages = records.len(), failed = failures.len(), duration_ms, "hints handled");
    Ok(json!({"batchItemFailures": failures}))
}

/// Follows the hints of all instances, and makes the passes after that, because a pass may take the
/// rest of the time.
async fn follow_all(
    context: &PollContext,
    hints: &[BatchedHint<'_>],
    deadline: Instant,
) -> Vec<FailedHint> {
    let (instances, mut failed) = match by_instance(context, hints).await {
        Ok(grouped) => grouped,
        Err(error) => return all_failed(hints, error),
    };
    let looks = instances.iter().map(|of| follow_hints(context, &of.instance, &of.looks, deadline));
    let looked = join_all(looks).await;
    failed.extend(looked.into_iter().flatten());
    for InstanceHints { instance, passes, .. } in &instances {
        if passes.is_empty() {
            continue;
        }
        if let Err(error) = Box::pin(begin_pass(context, instance, deadline)).await {
            failed.extend(all_failed(passes, error));
        }
    }
    note_hints(context, &instances, deadline).await;
    for InstanceHints { instance, .. } in &instances {
        context.clients.measure_requests(&instance.name);
    }
    failed
}

/// Notes when hints came, for the diagnosis. A failure is only logged, because the hints themselves
/// were followed.
async fn note_hints(context: &PollContext, instances: &[InstanceHints<'_>], deadline: Instant) {
    let names: Vec<&str> = instances.iter().map(|of| of.instance.name.as_str()).collect();
    if names.is_empty() {
        return;
    }
    let until = deadline.min(Instant::now() + NOTE_TIME);
    match timeout_at(until, context.database.note_hints(&names)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = shared::telemetry::Causes(&error);
            warn!(%error, "cannot write when the hints came");
        }
        Err(_) => warn!("no time left to write when the hints came"),
    }
}

/// Groups the hints by instance. Drops those of unknown instances, because no other try would find
/// them.
async fn by_instance<'a>(
    context: &PollContext,
    hints: &[BatchedHint<'a>],
) -> anyhow::Result<(Vec<InstanceHints<'a>>, Vec<FailedHint>)> {
    let mut by_name: BTreeMap<&str, Vec<BatchedHint<'a>>> = BTreeMap::new();
    for batched in hints {
        by_name.entry(&batched.hint.instance).or_default().push(*batched);
    }
    let names: Vec<&str> = by_name.keys().copied().collect();
    let mut configurations = context.database.oci_configurations(&names).await?;
    let (mut instances, mut failed) = (Vec::new(), Vec::new());
    for (name, hints) in by_name {
        let Some(configuration) = configurations.remove(name) else {
            let hints = hints.len();
            warn!(instance = name, hints, "hints dropped: no such instance was ever polled");
            continue;
        };
        let instance = Instance::read(configuration);
        match instance.with_context(|| format!("the instance {name} cannot be used")) {
            Ok(instance) => {
                let (looks, passes) = hints.iter().partition(|hint| hint.hint.place.is_some());
                instances.push(InstanceHints { instance, looks, passes });
            }
            Err(error) => failed.extend(all_failed(&hints, error)),
        }
    }
    Ok((instances, failed))
}

/// Returns the answer for the failed messages, and logs why they failed.
fn failures(records: &[Value], failed: &[FailedHint]) -> anyhow::Result<Vec<Value>> {
    let mut failures = Vec::new();
    // Messages with the same reason get one log line, so that the log stays short.
    let mut said = HashSet::new();
    for FailedHint { position, reason } in failed {
        let record = records.get(*position);
        let id = record.and_then(|record| record.get("messageId")?.as_str());
        // If the answer contained an empty identifier, SQS would retry the whole batch.
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            bail!("a message without a messageId failed: {reason:#}");
        };
        if said.insert(format!("{reason:#}")) {
            error!(message_id = id, "hint not followed, SQS delivers it again: {reason:#}");
        }
        failures.push(json!({"itemIdentifier": id}));
    }
    Ok(failures)
}
