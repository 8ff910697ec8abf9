//! Serves the Lambda Runtime API to a function:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The answer of a function: a value, or the error that it reported.
pub(crate) type Answer = Result<Value, Value>;

/// A Runtime API for one function. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    invocations: mpsc::Sender<Invocation>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Invocation {
    payload: Vec<u8>,
    deadline: SystemTime,
    answer: oneshot::Sender<Answer>,
}

#[derive(Clone)]
struct Shared {
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Invocation>>>,
    running: Arc<Mutex<HashMap<String, oneshot::Sender<Answer>>>>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (invocations, waiting) = mpsc::channel(64);
        let shared =
            Shared { waiting: Arc::new(tokio::sync::Mutex::new(waiting)), running: Arc::default() };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .layer(DefaultBodyLimit::max(8 * 1024 * 1024))
            .with_state(shared);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("a Runtime API ended: {error}");
            }
        });
        Ok(Self { address, invocations, server })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queues an invocation with a deadline. The receiver fails if the function ends first.
    pub(crate) async fn invoke(
        &self,
        payload: &Value,
        deadline: SystemTime,
    ) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { payload: payload.to_string().into_bytes(), deadline, answer };
        // An error means that the server has ended. The receiver then reports it.
        let _ = self.invocations.send(invocation).await;
        answered
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Shared>) -> impl IntoResponse {
    let Some(invocation) = shared.waiting.lock().await.recv().await else {
        return Err(StatusCode::GONE);
    };
    let id = uuid::Uuid::new_v4().to_string();
    let deadline = invocation.deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id.clone()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:local".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ] {
        headers.extend(
            value.parse().ok().map(|value| (axum::http::HeaderName::from_static(name), value)),
        );
    }
    shared.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, invocation.answer);
    Ok((headers, invocation.payload))
}

async fn response(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.finish(&id, Ok(value_of(&body)))
}

async fn error(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    shared.finish(&id, Err(value_of(&body)))
}

impl Shared {
    fn finish(&self, id: &str, answer: Answer) -> StatusCode {
        match self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
            // The caller may have been cancelled, which is not an error here.
            Some(waiting) => {
                waiting.send(answer).map_or(StatusCode::ACCEPTED, |()| StatusCode::ACCEPTED)
            }
            None => StatusCode::NOT_FOUND,
        }
    }
}

fn value_of(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}
