//! Answers why a chart of the instance's registry is or is not there. Asks only the registry, and
//! writes nothing.

use anyhow::anyhow;
use serde_json::Value;
use shared::diagnose::{Followed, Live, Step, StepId, Target, diagnose};
use tokio::time::Instant;

use crate::clients::Unusable;
use crate::context::PollContext;
use crate::instance::Instance;

/// Asks the registry, or answers why there is no client for it.
///
/// # Errors
/// Fails if the answer cannot be written as JSON.
pub(crate) async fn handle_diagnose(
    context: &PollContext,
    instance: &Instance,
    target: &Target,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let answer = match context.clients.client(instance, &context.settings).await {
        Ok(client) => {
            diagnose(&client, target, Followed::Polled(&instance.selection), deadline).await
        }
        Err(error) => Live::without_answer(vec![failed(error)]),
    };
    Ok(serde_json::to_value(answer)?)
}

fn failed(error: Unusable) -> Step {
    match error {
        error @ Unusable::Credentials(_) => {
            let remedy = "Correct the secret, or let the function's role read it \
                          (secretsmanager:GetSecretValue). It must have username \
                          and password, or token.";
            Step::failed(StepId::Authorized, format!("{:#}.", anyhow!(error)), remedy)
        }
        Unusable::Tls(error) => {
            let remedy =
                "Correct the file that oci.caFile names, or take oci.caFile out of the instance.";
            Step::failed(StepId::Reachable, format!("{error:#}."), remedy)
        }
    }
}
