//! The DynamoDB table: one item for the lease and what is stored beside it, and a few with packed
//! entries. Nothing else of the program knows of DynamoDB.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use shared::aws;
use tracing::warn;

use super::Entries;
use super::entries::ITEMS;
use super::state::State;

/// The version of the lease's item.
const FORMAT: u64 = 1;

/// How long items of an instance that is polled no more are kept.
const KEEP: Duration = Duration::from_hours(24 * 365);

const LEASE_KEY: &str = "lease";

/// The cursors' table.
#[derive(Debug)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

/// The lease as it was read.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// What a write must still find: the counter as it is, whatever it is.
    pub(super) counter: Option<AttributeValue>,
    /// Who wrote it last.
    pub(super) owner: String,
    /// Whether he holds it.
    pub(super) is_held: bool,
    /// Until when, by his clock.
    pub(super) held_until: i64,
    /// Which write that was.
    pub(super) write_id: String,
    /// What is stored beside it; `None` when there is nothing, or nothing that can be read.
    pub(super) state: Option<State>,
}

/// What is written of the lease.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub(super) instance: &'a str,
    /// The counter that must be found.
    pub(super) expected: Option<AttributeValue>,
    pub(super) counter: u64,
    pub(super) owner: &'a str,
    /// Tells this write from every other one.
    pub(super) id: &'a str,
    pub(super) is_held: bool,
    pub(super) held_until: i64,
    /// Left as it is without one.
    pub(super) state: Option<String>,
    /// Packed entries that go with it, all or nothing.
    pub(super) items: &'a [(usize, Vec<u8>)],
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Done,
    /// Another counter was found: nothing was written.
    Conflict,
}

impl Table {
    /// Nothing is asked yet.
    pub(crate) async fn new(name: &str) -> Self {
        Self { client: Client::new(&aws::config(None).await), name: name.to_owned() }
    }

    /// Reads the lease.
    pub(super) async fn read_lease(&self, instance: &str) -> anyhow::Result<Stored> {
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let answer = get.set_key(Some(key(instance, LEASE_KEY))).send().await;
        let answer = answer.map_err(|error| self.error("read the cursor", &error))?;
        let Some(mut item) = answer.item else { return Ok(Stored::default()) };
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
        Ok(Stored { counter: item.remove("counter"), owner, is_held, held_until, write_id, state })
    }

    /// Reads the packed entries. What is missing or cannot be read is left out, and the answer is
    /// `false` then.
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

    /// Writes the lease, and entries with it, if its counter is the one expected.
    pub(super) async fn write(&self, write: &Write<'_>) -> anyhow::Result<Written> {
        let what = "write the cursor";
        let mut names = HashMap::from([("#counter".to_owned(), "counter".to_owned())]);
        let mut values = HashMap::new();
        let mut assignments = Vec::new();
        let mut set = |name: &str, value: AttributeValue| {
            names.insert(format!("#{name}"), name.to_owned());
            values.insert(format!(":{name}"), value);
            assignments.push(format!("#{name} = :{name}"));
        };
        set("owner", AttributeValue::S(write.owner.to_owned()));
        set("write_id", AttributeValue::S(write.id.to_owned()));
        set("counter", AttributeValue::N(write.counter.to_string()));
        set("held", AttributeValue::Bool(write.is_held));
        set("held_until", AttributeValue::N(write.held_until.to_string()));
        set("expires_at", expires_at());
        if let Some(state) = &write.state {
            set("format", AttributeValue::N(FORMAT.to_string()));
            set("cursor", AttributeValue::S(state.clone()));
        }
        let expression = format!("SET {}", assignments.join(", "));
        let condition = match &write.expected {
            Some(expected) => {
                values.insert(":expected".to_owned(), expected.clone());
                "#counter = :expected"
            }
            None => "attribute_not_exists(#counter)",
        };
        if write.items.is_empty() {
            let update =
                self.client.update_item().table_name(&self.name).update_expression(expression);
            let update = update
                .set_key(Some(key(write.instance, LEASE_KEY)))
                .condition_expression(condition);
            let update = update.set_expression_attribute_names(Some(names));
            return match update.set_expression_attribute_values(Some(values)).send().await {
                Ok(_) => Ok(Written::Done),
                Err(SdkError::ServiceError(error))
                    if error.err().is_conditional_check_failed_exception() =>
                {
                    Ok(Written::Conflict)
                }
                Err(error) => Err(self.error(what, &error)),
            };
        }
        let update = Update::builder().table_name(&self.name).update_expression(expression);
        let update =
            update.set_key(Some(key(write.instance, LEASE_KEY))).condition_expression(condition);
        let update = update
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        let lease =
            TransactWriteItem::builder().update(update.build().context("no such update")?).build();
        let mut transaction = self.client.transact_write_items().transact_items(lease);
        for (number, bytes) in write.items {
            let put = Put::builder().table_name(&self.name);
            let put = put.set_item(Some(key(write.instance, &item_key(&format!("{number:x}")))));
            let put = put
                .item("packed", AttributeValue::B(Blob::new(bytes.clone())))
                .item("expires_at", expires_at());
            let put =
                TransactWriteItem::builder().put(put.build().context("no such item")?).build();
            transaction = transaction.transact_items(put);
        }
        match transaction.send().await {
            Ok(_) => Ok(Written::Done),
            Err(SdkError::ServiceError(error)) if is_conflict(error.err()) => Ok(Written::Conflict),
            Err(error) => Err(self.error(what, &error)),
        }
    }

    fn error<E>(&self, what: &str, error: &SdkError<E>) -> anyhow::Error
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        aws::Error::of_call(format!("{what} in the table {} (CURSOR_TABLE)", self.name), error)
            .into()
    }
}

/// A transaction may be cancelled for other reasons as well, load for one.
fn is_conflict(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return false;
    };
    cancelled
        .cancellation_reasons()
        .iter()
        .any(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

fn key(instance: &str, sk: &str) -> HashMap<String, AttributeValue> {
    let attribute =
        |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
    HashMap::from([attribute("pk", instance), attribute("sk", sk)])
}

fn item_key(number: &str) -> String {
    format!("repositories#{number}")
}

/// For DynamoDB's own housekeeping, in seconds since 1970.
fn expires_at() -> AttributeValue {
    let at = SystemTime::now() + KEEP;
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    AttributeValue::N(seconds.to_string())
}
