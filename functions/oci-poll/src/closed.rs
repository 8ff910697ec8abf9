//! A registry that wants to be left alone. `Retry-After` is remembered in the cursor, so that every
//! process honours it.

use std::time::Duration;

use anyhow::bail;
use shared::telemetry::Utc;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::context::PollContext;
use crate::cursor::{Table, time_of};
use crate::instance::Instance;

/// The time limit for reading the cursor.
const CURSOR_TIME: Duration = Duration::from_secs(2);

/// Returns the time before which the registry wants no request, as the cursor remembers it. If the
/// cursor cannot be read, the registry counts as open.
pub(crate) async fn registry_closed_until(
    context: &PollContext,
    instance: &Instance,
    deadline: Instant,
) -> Option<OffsetDateTime> {
    let until = deadline.min(Instant::now() + CURSOR_TIME);
    let table = context.table.get_or_init(|| Table::new(&context.settings.cursor_table)).await;
    let holding = timeout_at(until, table.read_holding(&instance.name)).await.ok()?.ok()?;
    let state = holding.state?;
    let closed_until = time_of(state.closed_until?)?;
    let is_closed =
        state.registry == instance.cursor_subject() && closed_until > OffsetDateTime::now_utc();
    is_closed.then_some(closed_until)
}

/// Checks that the registry accepts requests.
///
/// # Errors
/// Fails if the registry is closed.
pub(crate) async fn check_open(
    context: &PollContext,
    instance: &Instance,
    deadline: Instant,
) -> anyhow::Result<()> {
    match registry_closed_until(context, instance, deadline).await {
        Some(until) => bail!(closed_error(instance, until)),
        None => Ok(()),
    }
}

/// Returns the error about a registry that accepts no request before a time.
pub(crate) fn closed_error(instance: &Instance, until: OffsetDateTime) -> String {
    let url = &instance.url;
    format!("{url} asks to be left alone (Retry-After): registry closed until {}", Utc(until))
}
