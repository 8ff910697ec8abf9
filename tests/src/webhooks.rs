//! The way of a webhook on this machine: `oci-events`, a queue of moto's, and `oci-poll`.

use serde_json::{Value, json};

use crate::function::Function;
use crate::http_function::HttpFunction;
use crate::moto::Moto;
use crate::registry::Webhook;

/// The secret that the registry sends.
const SECRET: &str = "local-secret";

/// How long a request for messages waits for the first one, in seconds.
const WAIT: u32 = 20;

/// A running `oci-events` for one instance, and its queue. Dropping it ends both.
#[derive(Debug)]
pub struct Webhooks {
    moto: Moto,
    queue: String,
    url: String,
    authorization: String,
    _events: HttpFunction,
}

impl Webhooks {
    /// Starts the queue and `oci-events` for an instance.
    ///
    /// # Errors
    /// Fails if a part does not start.
    pub async fn start(instance: &str) -> anyhow::Result<Self> {
        let moto = Moto::start().await?;
        let queue = moto.create_queue("hints").await?;
        let secret = moto.create_secret("webhook", &json!({"secret": SECRET})).await?;
        let webhooks = json!({instance: {"secretArn": secret}}).to_string();
        let own = [("WEBHOOKS", webhooks.as_str()), ("HINT_QUEUE_URL", &queue)];
        let settings = [&moto.settings()[..], &own].concat();
        let events = HttpFunction::start("oci-events", "OCI_EVENTS_ADDR", &settings).await?;
        let (url, authorization) =
            (format!("{}/{instance}", events.url()), format!("Bearer {SECRET}"));
        Ok(Self { moto, queue, url, authorization, _events: events })
    }

    /// Returns what a registry must be configured with.
    #[must_use]
    pub fn webhook(&self) -> Webhook<'_> {
        Webhook { url: &self.url, authorization: &self.authorization }
    }

    /// Waits for hints, and invokes `oci-poll` with them, as the event source mapping does. Returns
    /// the answer, or `None` if no hint came within 20 s.
    ///
    /// # Errors
    /// Fails if the queue or the function fails.
    pub async fn deliver(&self, poll: &Function) -> anyhow::Result<Option<Value>> {
        let hints = self.moto.receive(&self.queue, WAIT).await?;
        if hints.is_empty() {
            return Ok(None);
        }
        let records = hints.iter().enumerate().map(
            |(index, hint)| json!({"messageId": format!("m{index}"), "body": hint.to_string()}),
        );
        let records: Vec<Value> = records.collect();
        poll.invoke(&json!({"Records": records})).await.map(Some)
    }
}
