//! Makes a pass, because a webhook did not say what changed.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use crate::context::PollContext;
use crate::cursor::{Table, time_of};
use crate::instance::Instance;
use crate::poll::handle_poll;
use crate::schedule::Due;

/// A pass that began within this time is recent enough. So a sender whose bodies are not understood
/// cannot cause pass after pass.
const RECENT: Duration = Duration::from_mins(1);

/// Makes one pass at once, unless one began within the last minute or is under way.
///
/// # Errors
/// Fails if the database or the cursor cannot be used, or if there is no time.
pub(super) async fn begin_pass(
    context: &PollContext,
    instance: &Instance,
    deadline: Instant,
) -> anyhow::Result<()> {
    let name = &instance.name;
    let table = context.table.get_or_init(|| Table::new(&context.settings.cursor_table)).await;
    let now = context.database.instance_state(name).await?.now;
    let holding = timeout_at(deadline, table.read_holding(name)).await;
    let holding = holding.context("there was no time to read the cursor")??;
    let last_pass_at = holding.state.and_then(|state| time_of(state.last_pass_at?));
    if holding.is_held {
        info!(instance = name, "hint dropped, because a pass is under way");
    } else if last_pass_at.is_some_and(|last| now - last < RECENT) {
        info!(instance = name, "hint dropped, because a pass began within the last minute");
    } else {
        handle_poll(context, instance, Due::Now, deadline).await?;
    }
    Ok(())
}
