//! Stands between a function and DynamoDB or another AWS service. It records the calls, and injects
//! faults into some of them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tests::rights::AwsRequest;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A fault that the proxy injects into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The service refuses the call because there were too many.
    Throttle,
    /// The service cancels the transaction for the reason `TransactionConflict` or a similar one.
    Cancel(&'static str),
    /// The service says that the role may not make the call.
    Deny,
    /// The service serves the call, and the answer is lost.
    LoseAnswer,
    /// The service does not receive the call, and the caller gets no answer.
    Swallow,
}

/// A proxy, which stops when it is dropped.
pub(crate) struct AwsProxy {
    url: String,
    shared: Shared,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    upstream: String,
    http: reqwest::Client,
    calls: Arc<watch::Sender<Vec<String>>>,
    requests: Arc<Mutex<Vec<AwsRequest>>>,
    faults: Arc<Mutex<Vec<Spoilt>>>,
}

/// A fault for the next calls of an operation.
struct Spoilt {
    operation: &'static str,
    fault: Fault,
    left: usize,
}

impl AwsProxy {
    pub(crate) async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tls = shared::tls::client_config(None).unwrap();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap();
        let (calls, _) = watch::channel(Vec::new());
        let shared = Shared {
            upstream: upstream.to_owned(),
            http,
            calls: Arc::new(calls),
            requests: Arc::default(),
            faults: Arc::default(),
        };
        let router = Router::new().fallback(pass_on).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, server }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Injects a fault into the next calls of an operation.
    pub(crate) fn spoil(&self, operation: &'static str, fault: Fault, times: usize) {
        self.shared.faults.lock().unwrap().push(Spoilt { operation, fault, left: times });
    }

    /// Returns the operations called so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.shared.calls.borrow().clone()
    }

    /// Returns the calls so far.
    pub(crate) fn requests(&self) -> Vec<AwsRequest> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Waits until an operation has been called.
    pub(crate) async fn wait_for(&self, operation: &str) {
        let mut calls = self.shared.calls.subscribe();
        calls.wait_for(|calls| calls.iter().any(|call| call == operation)).await.unwrap();
    }
}

impl Drop for AwsProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn fault(&self, operation: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let spoilt =
            faults.iter_mut().find(|spoilt| spoilt.operation == operation && spoilt.left > 0)?;
        spoilt.left -= 1;
        Some(spoilt.fault)
    }
}

async fn pass_on(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap());
    shared.requests.lock().unwrap().push(AwsRequest {
        target: target.unwrap_or(uri.path()).to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    // Lambda's calls name the function in their path. There is no function behind the proxy.
    let Some(target) = target else {
        shared.calls.send_modify(|calls| calls.push("Invoke".to_owned()));
        return StatusCode::ACCEPTED.into_response();
    };
    let operation = target.rsplit('.').next().unwrap().to_owned();
    shared.calls.send_modify(|calls| calls.push(operation.clone()));
    let fault = shared.fault(&operation);
    match fault {
        Some(Fault::Throttle) => {
            return refused(concat!(
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#"#,
                r#"ProvisionedThroughputExceededException","message":"slow down"}"#
            ));
        }
        Some(Fault::Deny) => {
            return refused(r#"{"__type":"AccessDeniedException","message":"not authorized"}"#);
        }
        Some(Fault::Cancel(reason)) => return cancelled(reason),
        Some(Fault::Swallow) => std::future::pending::<()>().await,
        _ => {}
    }
    let mut request = shared.http.post(&shared.upstream).body(body);
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/x-amz-json-1.0").to_owned();
    let body = answer.bytes().await.unwrap();
    if fault == Some(Fault::LoseAnswer) {
        return (StatusCode::INTERNAL_SERVER_ERROR, "lost").into_response();
    }
    (status, [("content-type", content_type)], body).into_response()
}

fn refused(error: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], error)
        .into_response()
}

/// The answer to a transaction of two items whose second one could not be written.
fn cancelled(reason: &str) -> Response {
    let error = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message":"Transaction cancelled",
        "CancellationReasons":[{{"Code":"None"}},{{"Code":"{reason}"}}]}}"#
    );
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], error)
        .into_response()
}
