//! Explains why a chart is or is not in the database.

use serde_json::Value;
use shared::diagnose::{Followed, Target, diagnose};
use tokio::time::Instant;

use crate::context::Context;

/// Asks the registry and returns a [`shared::diagnose::Live`].
///
/// # Errors
/// Fails if no client can be built for the registry.
pub(crate) async fn handle_diagnose(
    context: &Context,
    target: &Target,
    deadline: Instant,
) -> anyhow::Result<Value> {
    let account = target.registry.domain_name().address().ecr().map(|(account, _)| account);
    let followed = Followed::ByEvents {
        is_accepted: context.accepts(account.as_ref()),
        selection: &context.settings.selection,
    };
    let client = context.clients.get(&target.registry, deadline)?;
    Ok(serde_json::to_value(diagnose(&client, target, followed, deadline).await)?)
}
