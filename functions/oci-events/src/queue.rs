//! Sends hints to the queue.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use tokio::time::timeout;

use crate::hint::HintMessage;

/// The most messages of one call.
const BATCH: usize = 10;

/// The time for all calls of one webhook. The most impatient sender that tries only once waits for
/// 3 s.
const SEND: Duration = Duration::from_millis(2500);

/// The queue of `oci-poll`.
#[derive(Debug)]
pub(crate) struct HintQueue {
    client: Client,
    url: String,
}

impl HintQueue {
    /// Makes a client, which connects when it is first used.
    pub(crate) async fn new(url: String) -> Self {
        Self { client: Client::new(&shared::aws::config(None).await), url }
    }

    /// Sends the messages. If one is not taken, the sender should try again: hints may repeat.
    ///
    /// # Errors
    /// Fails if the queue did not take every message in time.
    pub(crate) async fn send(&self, messages: &[HintMessage]) -> anyhow::Result<()> {
        timeout(SEND, self.send_all(messages))
            .await
            .unwrap_or_else(|_| Err(anyhow!("the queue did not answer within {SEND:?}")))
    }

    async fn send_all(&self, messages: &[HintMessage]) -> anyhow::Result<()> {
        for batch in messages.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(index, message)| {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                // SQS delivers the groups of a standard queue in turn, so that the many hints of
                // one instance do not hold back those of the others.
                let entry = entry.message_group_id(message.instance());
                Ok(entry.message_body(serde_json::to_string(message)?).build()?)
            });
            let entries = entries.collect::<anyhow::Result<Vec<_>>>()?;
            let call = self.client.send_message_batch().queue_url(&self.url);
            let sent = call.set_entries(Some(entries)).send().await;
            let sent = sent
                .map_err(|error| shared::aws::Error::new("send hints", reason(&error)))
                .context("HINT_QUEUE_URL")?;
            if let Some(failed) = sent.failed().first() {
                bail!("the queue refused {} hints: {}", sent.failed().len(), failed.code());
            }
        }
        Ok(())
    }
}

/// Returns the innermost cause, because the SDK's own text is a page long.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
