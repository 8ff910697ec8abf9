//! Answers why a chart of the instance's registry is or is not there. Asks only the registry, and
//! writes nothing.

use anyhow::anyhow;
use serde_json::Value;
use shared::diagnose::{Followed, Live, Step, StepId, Target, diagnose};
use shared::telemetry::Utc;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::clients::Unusable;
use crate::closed::registry_closed_until;
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
    let answer = match context.clients.catalog(instance, &context.settings).await {
        Ok(catalog) => {
            if let Some(until) = registry_closed_until(context, instance, deadline).await {
                Live::without_answer(vec![closed(until)])
            } else {
                let selection = &instance.selection;
                let followed = Followed::Polled { selection, catalog: &catalog };
                diagnose(catalog.client(), target, followed, deadline).await
            }
        }
        Err(error) => Live::without_answer(vec![failed(error)]),
    };
    Ok(serde_json::to_value(answer)?)
}

fn closed(until: OffsetDateTime) -> Step {
    let detail =
        format!("The registry asks to be left alone: registry closed until {}.", Utc(until));
    let remedy = "Nothing is lost, because discovery continues then. To send fewer requests, \
                  lengthen oci.pollInterval or lower oci.maxConcurrency. Credentials \
                  (oci.credentialsSecretArn) often have a higher limit.";
    Step::failed(StepId::Reachable, detail, remedy)
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
