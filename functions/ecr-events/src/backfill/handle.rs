//! Runs a backfill and records its outcome in the instance's health.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;
use shared::db::Health;
use tokio::time::{Instant, timeout_at};

use super::summary::BackfillSummary;
use super::walk::backfill;
use crate::context::Context;
use crate::health::introduce;
use crate::payload::BackfillRequest;

/// Time kept back for writing the instance's health.
const HEALTH_TIME: Duration = Duration::from_millis(300);

/// Runs or resumes a backfill, records its health, and returns its summary.
///
/// # Errors
/// Fails if the account is not accepted, the run fails, or its health cannot be written.
pub(crate) async fn handle_backfill(
    context: &Context,
    request: &BackfillRequest,
    deadline: Instant,
) -> anyhow::Result<Value> {
    if let Some(account) = &request.account
        && !context.accepts(Some(account))
    {
        bail!("backfill.registryId {account} is not in ECR_ACCOUNTS");
    }
    let introduced = introduce(context, &request.region, async |introduction| {
        context.database.introduce_instance(introduction).await
    });
    let introduced = timeout_at(deadline, introduced).await;
    let started_at = introduced.context("the invocation's time was over")??.now;
    let stop_at = deadline.checked_sub(HEALTH_TIME).unwrap_or(deadline);
    let outcome = timeout_at(stop_at, Box::pin(backfill(context, request, stop_at))).await;
    let outcome = outcome.unwrap_or_else(|_| {
        Err(anyhow!("the invocation's time was over before its place was kept"))
    });
    if let Ok(summary) = &outcome
        && !summary.was_due
    {
        return Ok(serde_json::to_value(summary)?);
    }
    let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
    let summary = outcome.as_ref().ok().map(serde_json::to_value).transpose()?;
    let (succeeded, error) = outcome.as_ref().map_or((false, None), BackfillSummary::health);
    let source = request.region.to_string();
    let name = context.instance_name(&request.region);
    let health = Health {
        name: &name,
        provider: "ecr",
        source: &source,
        started_at,
        succeeded,
        error: failure.as_deref().or(error),
        summary: summary.as_ref(),
    };
    let recorded = timeout_at(deadline, context.database.record_health(&health)).await;
    let summary = serde_json::to_value(outcome?)?;
    recorded.context("there was no time to write the instance's health")??;
    Ok(summary)
}
