//! Emulates a Lambda Function URL, which turns HTTP requests into invocations with a verified IAM
//! identity. Emulates Lambda's API for invocations as well.
//!
//! Shapes: <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::function::Function;

/// The functions by name.
type Functions = HashMap<&'static str, Arc<Function>>;

/// The largest request and answer that Lambda forwards, in bytes.
const BODY_MAX: usize = 6 * 1024 * 1024;

/// A running server. Dropping it ends the server.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Endpoint {
    /// Serves a Function URL. Every request comes from the user of this ARN, or without one from an
    /// anonymous user.
    ///
    /// # Errors
    /// Fails if no port is free.
    pub async fn function_url(
        function: Arc<Function>,
        user_arn: Option<&str>,
    ) -> anyhow::Result<Self> {
        let state = (function, user_arn.map(str::to_owned));
        Self::serve(Router::new().fallback(forward).with_state(state)).await
    }

    /// Serves Lambda's API for these functions.
    ///
    /// # Errors
    /// Fails if no port is free.
    pub async fn lambda(
        functions: impl IntoIterator<Item = Arc<Function>>,
    ) -> anyhow::Result<Self> {
        let path = "/2015-03-31/functions/{name}/invocations";
        let functions: Functions =
            functions.into_iter().map(|function| (function.name(), function)).collect();
        Self::serve(Router::new().route(path, post(invoke)).with_state(functions)).await
    }

    /// Returns the settings that point a function's Lambda client here.
    #[must_use]
    pub fn lambda_settings(url: &str) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL_LAMBDA", url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ]
    }

    async fn serve(router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("an endpoint ended: {error}");
            }
        });
        Ok(Self { address, server })
    }

    /// Returns the address without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(
    State((function, user_arn)): State<(Arc<Function>, Option<String>)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (mut headers, mut cookies) = (BTreeMap::new(), Vec::new());
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == "cookie" {
            cookies.extend(value.split("; ").map(str::to_owned));
        } else {
            headers.insert(name.as_str().to_owned(), value);
        }
    }
    let iam = user_arn
        .map(|arn| json!({"iam": {"userArn": arn, "accountId": "123456789012", "userId": "AIDA"}}));
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": parts.uri.path(),
        "rawQueryString": parts.uri.query().unwrap_or_default(), "cookies": cookies,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc",
            "domainName": "abc.lambda-url.us-east-1.on.aws",
            "authorizer": iam, "requestId": "1", "routeKey": "$default", "stage": "$default",
            "time": "25/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_000_000_000_u64,
            "http": {
                "method": parts.method.as_str(), "path": parts.uri.path(), "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "test",
            },
        },
        "body": STANDARD.encode(&body), "isBase64Encoded": true,
    });
    match function.invoke(&event).await {
        // AWS answers the same.
        Ok(answer) if answer.to_string().len() > BODY_MAX => {
            StatusCode::BAD_GATEWAY.into_response()
        }
        Ok(answer) => http(&answer).unwrap_or_else(|| StatusCode::BAD_GATEWAY.into_response()),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Converts a function's answer to HTTP.
fn http(answer: &Value) -> Option<Response> {
    let status = u16::try_from(answer.get("statusCode")?.as_u64()?).ok()?;
    let mut response = Response::builder().status(status);
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        response = response.header(name, value.as_str()?);
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        response = response.header("set-cookie", cookie.as_str()?);
    }
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let is_encoded = answer.get("isBase64Encoded") == Some(&Value::Bool(true));
    let body = if is_encoded { STANDARD.decode(body).ok()? } else { body.as_bytes().to_vec() };
    response.body(Body::from(body)).ok()
}

/// Answers [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(function) = functions.get(name.as_str()).map(Arc::clone) else {
        let body = Json(json!({"Type": "User", "Message": format!("Function not found: {name}")}));
        return (StatusCode::NOT_FOUND, [("x-amzn-errortype", "ResourceNotFoundException")], body)
            .into_response();
    };
    let Ok(payload) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if headers.get("x-amz-invocation-type").is_none_or(|kind| kind != "Event") {
        return match function.invoke(&payload).await {
            Ok(answer) => Json(answer).into_response(),
            Err(error) => {
                let body =
                    Json(json!({"errorType": "FunctionError", "errorMessage": error.to_string()}));
                ([("x-amz-function-error", "Unhandled")], body).into_response()
            }
        };
    }
    tokio::spawn(async move {
        if let Err(error) = function.invoke(&payload).await {
            eprintln!("an asynchronous invocation failed: {error}");
        }
    });
    StatusCode::ACCEPTED.into_response()
}
