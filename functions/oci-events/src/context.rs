//! The clients and settings that every request uses.

use std::collections::HashMap;

use shared::config::OciEvents;

use crate::proof::Proof;
use crate::proof::google::GoogleKeys;
use crate::queue::HintQueue;

/// The clients and settings that every request uses.
#[derive(Debug)]
pub(crate) struct WebhookContext {
    /// The proof that webhooks carry, by the name of their instance.
    pub(crate) proofs: HashMap<String, Proof>,
    /// Google's public keys.
    pub(crate) google: GoogleKeys,
    /// The queue that takes the hints.
    pub(crate) queue: HintQueue,
}

impl WebhookContext {
    /// Makes the clients, which connect when they are first used.
    ///
    /// # Errors
    /// The TLS configuration cannot be used.
    pub(crate) async fn new(settings: OciEvents) -> anyhow::Result<Self> {
        let OciEvents { webhooks, hint_queue_url, address: _, google_keys_url } = settings;
        let proof = |(instance, webhook)| (instance, Proof::new(webhook));
        Ok(Self {
            proofs: webhooks.into_iter().map(proof).collect(),
            google: GoogleKeys::new(google_keys_url)?,
            queue: HintQueue::new(hint_queue_url).await,
        })
    }
}
