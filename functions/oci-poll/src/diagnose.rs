//! Why a chart of the instance's registry is or is not there. Only the registry is asked; nothing
//! is written.

use anyhow::anyhow;
use shared::diagnose::{Followed, Live, Step, StepId, Target, diagnose as ask};
use shared::oci::Client;
use tokio::time::Instant;

use crate::clients::Unusable;
use crate::instance::Instance;

/// Asks the registry, if there is a client for it.
pub(crate) async fn diagnose(
    client: Result<Client, Unusable>,
    instance: &Instance,
    target: &Target,
    deadline: Instant,
) -> Live {
    let failed = match client {
        Ok(client) => {
            return ask(&client, target, Followed::Polled(&instance.selection), deadline).await;
        }
        Err(error @ Unusable::Credentials(_)) => {
            let remedy = "Mend the secret, or let the function's role read it \
                          (secretsmanager:GetSecretValue). It must have username \
                          and password, or token.";
            Step::failed(StepId::Authorized, format!("{:#}.", anyhow!(error)), remedy)
        }
        Err(Unusable::Tls(error)) => {
            let remedy =
                "Mend the file that oci.caFile names, or take oci.caFile out of the instance.";
            Step::failed(StepId::Reachable, format!("{error:#}."), remedy)
        }
    };
    Live { steps: vec![failed], digest: None }
}
