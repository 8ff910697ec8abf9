//! The order of the statements in the transaction that writes a batch.
//!
//! The statements are pipelined, so that a batch of any size costs one round trip. They stay
//! separate statements because each must see what the one before it wrote, and what other writers
//! committed while it waited for a lock.

use futures_util::try_join;
use tokio_postgres::{Client, Row};

use super::charts::{add_charts, lock_refreshed, refresh_charts, retire_charts};
use super::columns::ObservationColumns;
use super::contents::store_contents;
use super::dismissals::dismiss_charts;
use super::generation::raise_generation;
use super::observations::{find_outdated, record};
use super::registries::ensure_registries;
use super::writer::Writer;
use crate::db::discovery::parsed_tags::lock_formats;

/// The rows that the statements of one transaction returned.
pub(super) struct AppliedRows {
    pub(super) retired: Vec<Row>,
    pub(super) added: Vec<Row>,
    pub(super) refreshed: Vec<Row>,
    pub(super) generation: Vec<Row>,
    pub(super) outdated: Vec<Row>,
}

/// Writes a batch in one transaction.
pub(super) async fn write(
    client: &Client,
    batch: &ObservationColumns<'_>,
    writer: Writer<'_>,
) -> Result<AppliedRows, tokio_postgres::Error> {
    // `try_join!` polls in this order, so that all statements are sent in this order before the
    // first answer is awaited. After an error the server refuses every statement up to COMMIT, and
    // rolls back there.
    let ((), (), (), (), retired, (), (), (), added, refreshed, raised, (), outdated) = try_join!(
        client.batch_execute("BEGIN"),
        lock_formats(client, &batch.tags),
        dismiss_charts(client, batch),
        record(client, batch),
        retire_charts(client, batch),
        ensure_registries(client, batch, writer.kind_naming),
        lock_refreshed(client, batch),
        store_contents(client, batch),
        add_charts(client, batch),
        refresh_charts(client, batch),
        raise_generation(client, batch, writer),
        client.batch_execute("COMMIT"),
        find_outdated(client, batch),
    )?;
    Ok(AppliedRows { retired, added, refreshed, generation: raised, outdated })
}
