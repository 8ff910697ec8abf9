//! Reads and writes the DynamoDB table. An instance has one item with the lease and the state, and
//! several items with packed entries. Only this file calls DynamoDB.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use shared::aws;
use tokio::time::sleep;
use tracing::warn;

use super::Entries;
use super::packed::ITEMS;
use super::state::CursorState;

/// The format of the lease's item.
const FORMAT: u64 = 1;

/// How long DynamoDB keeps the items of an instance that is no longer polled.
const KEEP: Duration = Duration::from_hours(24 * 365);

/// The most attempts at a write that DynamoDB cancels because of load or of another transaction.
/// The client repeats a throttled call on its own, but not a cancelled transaction.
const ATTEMPTS: u32 = 8;

/// The first pause between two attempts. It doubles each time.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The call that an error names.
const WRITE: &str = "write the cursor";

const LEASE_KEY: &str = "lease";

/// The cursors' table.
#[derive(Debug)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

/// The lease's item as it was read.
#[derive(Debug, Default)]
pub(super) struct StoredLease {
    /// The counter, which the next write must find unchanged.
    pub(super) counter: Option<AttributeValue>,
    /// The process that wrote it last.
    pub(super) owner: String,
    /// Whether that process holds the lease.
    pub(super) is_held: bool,
    /// When the lease ends, by the clock of that process.
    pub(super) held_until: i64,
    /// The identifier of the last write.
    pub(super) write_id: String,
    /// The state; `None` if there is none, or if it cannot be read.
    pub(super) state: Option<CursorState>,
}

/// An instance's lease and the state of its cursor, as another invocation sees them.
#[derive(Debug)]
pub(crate) struct Holding {
    /// Whether a process holds the lease.
    pub(crate) is_held: bool,
    /// The state, if there is one.
    pub(crate) state: Option<CursorState>,
}

/// A write of the lease's item.
#[derive(Debug)]
pub(super) struct LeaseWrite<'a> {
    pub(super) instance: &'a str,
    /// The counter that the write must find.
    pub(super) expected: Option<AttributeValue>,
    pub(super) counter: u64,
    pub(super) owner: &'a str,
    /// Identifies this write.
    pub(super) id: &'a str,
    pub(super) is_held: bool,
    pub(super) held_until: i64,
    /// The new state; `None` leaves the stored one.
    pub(super) state: Option<String>,
    /// Packed entries to write in the same transaction.
    pub(super) items: &'a [(usize, Vec<u8>)],
}

/// The result of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeaseWritten {
    Done,
    /// The item has another counter, so that nothing was written.
    Conflict,
}

/// The reason why DynamoDB refuses a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteRefusal {
    /// The item has another counter.
    Conflict,
    /// Another transaction writes the same item, or there is too much load. The same write may
    /// succeed a moment later.
    Busy,
    /// The write cannot succeed.
    Final,
}

/// The update of the lease's item in DynamoDB's terms.
#[derive(Debug, Clone)]
struct LeaseUpdate {
    assignments: Vec<String>,
    condition: &'static str,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Table {
    /// Builds the client. Sends no request.
    pub(crate) async fn new(name: &str) -> Self {
        Self { client: Client::new(&aws::config(None).await), name: name.to_owned() }
    }

    /// Reads the lease's item.
    ///
    /// # Errors
    /// Fails if the table cannot be read.
    pub(super) async fn read_lease(&self, instance: &str) -> anyhow::Result<StoredLease> {
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = get.set_key(Some(key(instance, LEASE_KEY))).send().await;
        let answer = answer.map_err(|error| self.error("read the cursor", &error))?;
        let Some(mut item) = answer.item else { return Ok(StoredLease::default()) };
        let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        let state = text("cursor").and_then(|json| serde_json::from_str(&json).ok());
        let is_known = number("format") == i64::try_from(FORMAT).ok();
        if item.contains_key("cursor") && (state.is_none() || !is_known) {
            warn!(instance, "the stored cursor cannot be read and is dropped");
        }
        let is_held = item.get("held").is_some_and(|held| held.as_bool() == Ok(&true));
        let (owner, write_id) =
            (text("owner").unwrap_or_default(), text("write_id").unwrap_or_default());
        let (held_until, state) =
            (number("held_until").unwrap_or_default(), state.filter(|_| is_known));
        Ok(StoredLease {
            counter: item.remove("counter"),
            owner,
            is_held,
            held_until,
            write_id,
            state,
        })
    }

    /// Reads an instance's lease and the state of its cursor, without taking the lease.
    ///
    /// # Errors
    /// Fails if the table cannot be read.
    pub(crate) async fn read_holding(&self, instance: &str) -> anyhow::Result<Holding> {
        let stored = self.read_lease(instance).await?;
        // A process that ended without giving the lease back holds it no longer.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let is_over = u128::try_from(stored.held_until).unwrap_or_default() < now.as_millis();
        Ok(Holding { is_held: stored.is_held && !is_over, state: stored.state })
    }

    /// Reads the packed entries. Leaves out items that are missing or cannot be read, and returns
    /// `false` then.
    ///
    /// # Errors
    /// Fails if the table cannot be read.
    pub(super) async fn read_entries(
        &self,
        instance: &str,
        entries: &mut Entries,
    ) -> anyhow::Result<bool> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", AttributeValue::S(instance.to_owned()))
            .expression_attribute_values(":sk", AttributeValue::S(item_key("")))
            .into_paginator()
            .send();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.error("read the cursor", &error))?;
            for item in page.items() {
                let sk = item.get("sk").and_then(|sk| sk.as_s().ok());
                let number = sk
                    .and_then(|sk| usize::from_str_radix(sk.strip_prefix(&item_key(""))?, 16).ok());
                let bytes = item.get("packed").and_then(|packed| packed.as_b().ok());
                match (number, bytes) {
                    (Some(number), Some(bytes)) if entries.read(number, bytes.as_ref()).is_ok() => {
                        read += 1;
                    }
                    _ => warn!(
                        instance,
                        item = sk,
                        "a part of the stored cursor cannot be read and is dropped"
                    ),
                }
            }
        }
        Ok(read == ITEMS)
    }

    /// Writes the lease, and entries in the same transaction, if the item has the expected counter.
    ///
    /// # Errors
    /// Fails if the table cannot be written.
    pub(super) async fn write(&self, write: &LeaseWrite<'_>) -> anyhow::Result<LeaseWritten> {
        let update = LeaseUpdate::of(write);
        let mut attempt = 1;
        loop {
            let written = if write.items.is_empty() {
                self.write_lease(write, update.clone()).await
            } else {
                self.write_with_items(write, update.clone()).await
            };
            match written {
                Ok(()) => return Ok(LeaseWritten::Done),
                Err((WriteRefusal::Conflict, _)) => return Ok(LeaseWritten::Conflict),
                Err((WriteRefusal::Busy, _)) if attempt < ATTEMPTS => {
                    let longest = (PAUSE * 2u32.pow(attempt)).min(PAUSE_MAX);
                    sleep(longest.mul_f64(fastrand::f64())).await;
                    attempt += 1;
                }
                Err((_, error)) => return Err(error),
            }
        }
    }

    async fn write_lease(
        &self,
        write: &LeaseWrite<'_>,
        update: LeaseUpdate,
    ) -> Result<(), (WriteRefusal, anyhow::Error)> {
        let request = self.client.update_item().table_name(&self.name);
        let request = request
            .set_key(Some(key(write.instance, LEASE_KEY)))
            .update_expression(update.expression())
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values));
        let answer = request.send().await.map(drop);
        answer.map_err(|error| {
            let refusal = error.as_service_error().map_or(WriteRefusal::Final, refusal_of_update);
            (refusal, self.error(WRITE, &error))
        })
    }

    async fn write_with_items(
        &self,
        write: &LeaseWrite<'_>,
        update: LeaseUpdate,
    ) -> Result<(), (WriteRefusal, anyhow::Error)> {
        let transaction = self.transaction(write, update);
        let transaction = transaction.map_err(|error| (WriteRefusal::Final, error))?;
        let answer = transaction.send().await.map(drop);
        answer.map_err(|error| {
            let refusal =
                error.as_service_error().map_or(WriteRefusal::Final, refusal_of_transaction);
            (refusal, self.error(WRITE, &error))
        })
    }

    /// Builds the transaction that writes the lease and entries.
    fn transaction(
        &self,
        write: &LeaseWrite<'_>,
        update: LeaseUpdate,
    ) -> anyhow::Result<TransactWriteItemsFluentBuilder> {
        let lease = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key(write.instance, LEASE_KEY)))
            .update_expression(update.expression())
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values));
        let lease =
            TransactWriteItem::builder().update(lease.build().context("no such update")?).build();
        let mut transaction = self.client.transact_write_items().transact_items(lease);
        for (number, bytes) in write.items {
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(key(write.instance, &item_key(&format!("{number:x}")))))
                .item("packed", AttributeValue::B(Blob::new(bytes.clone())))
                .item("expires_at", expires_at());
            let put =
                TransactWriteItem::builder().put(put.build().context("no such item")?).build();
            transaction = transaction.transact_items(put);
        }
        Ok(transaction)
    }

    fn error<E>(&self, what: &str, error: &SdkError<E>) -> anyhow::Error
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        aws::Error::of_call(format!("{what} in the table {} (CURSOR_TABLE)", self.name), error)
            .into()
    }
}

impl LeaseUpdate {
    fn of(write: &LeaseWrite<'_>) -> Self {
        let mut update = Self {
            assignments: Vec::new(),
            condition: "attribute_not_exists(#counter)",
            names: HashMap::from([("#counter".to_owned(), "counter".to_owned())]),
            values: HashMap::new(),
        };
        update.set("owner", AttributeValue::S(write.owner.to_owned()));
        update.set("write_id", AttributeValue::S(write.id.to_owned()));
        update.set("counter", AttributeValue::N(write.counter.to_string()));
        update.set("held", AttributeValue::Bool(write.is_held));
        update.set("held_until", AttributeValue::N(write.held_until.to_string()));
        update.set("expires_at", expires_at());
        if let Some(state) = &write.state {
            update.set("format", AttributeValue::N(FORMAT.to_string()));
            update.set("cursor", AttributeValue::S(state.clone()));
        }
        if let Some(expected) = &write.expected {
            update.values.insert(":expected".to_owned(), expected.clone());
            update.condition = "#counter = :expected";
        }
        update
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        self.names.insert(format!("#{name}"), name.to_owned());
        self.values.insert(format!(":{name}"), value);
        self.assignments.push(format!("#{name} = :{name}"));
    }

    fn expression(&self) -> String {
        format!("SET {}", self.assignments.join(", "))
    }
}

fn refusal_of_update(error: &UpdateItemError) -> WriteRefusal {
    if error.is_conditional_check_failed_exception() {
        WriteRefusal::Conflict
    } else if error.is_transaction_conflict_exception() {
        WriteRefusal::Busy
    } else {
        WriteRefusal::Final
    }
}

/// DynamoDB names a reason per item of a cancelled transaction. The counter decides, because a
/// write that finds another one never succeeds.
fn refusal_of_transaction(error: &TransactWriteItemsError) -> WriteRefusal {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return if error.is_transaction_in_progress_exception() {
            WriteRefusal::Busy
        } else {
            WriteRefusal::Final
        };
    };
    let codes = || cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    let is_load = |code| {
        ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"].contains(&code)
    };
    if codes().any(|code| code == "ConditionalCheckFailed") {
        WriteRefusal::Conflict
    } else if codes().any(is_load) {
        WriteRefusal::Busy
    } else {
        WriteRefusal::Final
    }
}

fn key(instance: &str, sk: &str) -> HashMap<String, AttributeValue> {
    let attribute =
        |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
    HashMap::from([attribute("pk", instance), attribute("sk", sk)])
}

fn item_key(number: &str) -> String {
    format!("repositories#{number}")
}

/// Returns when DynamoDB deletes an item, in seconds since 1970.
fn expires_at() -> AttributeValue {
    let at = SystemTime::now() + KEEP;
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    AttributeValue::N(seconds.to_string())
}
