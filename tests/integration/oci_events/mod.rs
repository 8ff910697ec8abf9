//! `oci-events` behind a Function URL, with Secrets Manager and SQS.

mod google;
mod load;
mod proof;
mod requests;
mod senders;
mod to_row;

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::moto::Moto;

use crate::support::admin_site::client;

/// The secret of the samples in `events/`.
const SECRET: &str = "sample-secret";

/// A running `oci-events`. Its instance `sample` has the secret, and `google` an account.
struct WebhookSite {
    moto: Moto,
    queue: String,
    secret_arn: String,
    function: Arc<Function>,
    endpoint: Endpoint,
}

impl WebhookSite {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// Starts the function with these settings too.
    async fn with(settings: &[(&str, &str)]) -> Self {
        let moto = Moto::start().await.unwrap();
        let queue = moto.create_queue("hints").await.unwrap();
        let secret_arn = moto.create_secret("webhook", &json!({"secret": SECRET})).await.unwrap();
        let account = json!({"audience": "https://hooks.example", "email": "push@example.com"});
        let webhooks = json!({"sample": {"secretArn": secret_arn}, "google": {"google": account},
            "broken": {"secretArn": "no-such-secret"}})
        .to_string();
        let own = [("WEBHOOKS", webhooks.as_str()), ("HINT_QUEUE_URL", &queue)];
        let settings = [&moto.settings()[..], &own, settings].concat();
        let function = Arc::new(Function::start("oci-events", &settings).await.unwrap());
        let endpoint = Endpoint::function_url(Arc::clone(&function), None).await.unwrap();
        Self { moto, queue, secret_arn, function, endpoint }
    }

    /// Sends a request to a path.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let url = format!("{}{path}", self.endpoint.url());
        client().request(method, url).headers(headers).body(body).send().await.unwrap()
    }

    /// Posts a body with the secret.
    async fn post(&self, body: impl Into<reqwest::Body>) -> StatusCode {
        self.send(Method::POST, "/sample", authorization(SECRET), body).await.status()
    }

    /// Takes the hints that are in the queue.
    async fn hints(&self) -> Vec<Value> {
        let mut hints = Vec::new();
        loop {
            let received = self.moto.receive(&self.queue, 0).await.unwrap();
            if received.is_empty() {
                return hints;
            }
            hints.extend(received.into_iter().map(|mut message| message["hint"].take()));
        }
    }
}

fn authorization(value: &str) -> HeaderMap {
    headers(&[("authorization", value)])
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// Returns the body of Docker Hub for a push to this repository.
fn push_to(repository: &str) -> String {
    let repository = json!({"repo_name": repository});
    json!({"push_data": {"tag": "1.0.0"}, "repository": repository}).to_string()
}
