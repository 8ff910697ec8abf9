//! Looks up one tag on request.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use shared::domain::Subject;
use shared::reconcile::{Hint, Report};
use tokio::time::{Instant, timeout_at};

use crate::context::Context;
use crate::look_up::look_up;

/// Looks up one tag and returns the number of changes.
///
/// # Errors
/// Fails if the account is not accepted, the lookup fails, or the deadline passes.
pub(crate) async fn handle_rescan(
    context: &Context,
    subject: Subject,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let account = subject.registry.domain_name().address().ecr().map(|(account, _)| account);
    if !context.accepts(account.as_ref()) {
        bail!("rescan.registry {} is not of an account in ECR_ACCOUNTS", subject.registry.host());
    }
    let hint = Hint { is_requested: true, ..Hint::at(subject) };
    let report = timeout_at(deadline, look_up(context, vec![hint], deadline))
        .await
        .context("the invocation's time was over")??;
    if let Some(Err(error)) = report.outcomes.into_iter().next() {
        return Err(error.into());
    }
    let Report { lookups, added, unavailable, broken, .. } = report;
    Ok(json!({
        "manifests": lookups,
        "added": added,
        "unavailable": unavailable,
        "broken": broken,
    }))
}
