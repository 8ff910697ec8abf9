//! A queue of SQS that takes messages much faster than an emulator, and refuses some on demand.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running server. It stops when it is dropped.
pub(crate) struct StandInQueue {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    taken: Mutex<Vec<Value>>,
    calls: Mutex<usize>,
    /// Every call whose number is a multiple of this one is refused.
    refuses_every: usize,
}

impl StandInQueue {
    /// Starts a queue that refuses one call in this many.
    pub(crate) async fn refusing_every(refuses_every: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (taken, calls) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { taken, calls, refuses_every });
        let router = Router::new().fallback(send_batch).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the hints of the messages that were taken.
    pub(crate) fn hints(&self) -> Vec<Value> {
        self.shared.taken.lock().unwrap().clone()
    }
}

impl Drop for StandInQueue {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers `SendMessageBatch`. A refused call names every message as failed, which is no fault of
/// the network, so that the client does not repeat the call.
async fn send_batch(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(entries) = call["Entries"].as_array() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let number = {
        let mut calls = shared.calls.lock().unwrap();
        *calls += 1;
        *calls
    };
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        if number.is_multiple_of(shared.refuses_every) {
            let code = "InternalFailure";
            failed.push(json!({"Id": entry["Id"], "Code": code, "SenderFault": false}));
            continue;
        }
        let message: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
        shared.taken.lock().unwrap().push(message["hint"].clone());
        successful.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "-"}));
    }
    Json(json!({"Successful": successful, "Failed": failed})).into_response()
}
