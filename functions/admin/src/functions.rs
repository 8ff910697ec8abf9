//! The other Lambda functions, invoked. Nothing is connected to before the first invocation.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Config;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::{Duration, timeout};

/// Time for Lambda to take an invocation that nobody waits for the end of.
const START: Duration = Duration::from_secs(2);

/// Time for an answer that somebody waits for. Less than this function has itself.
const ANSWER: Duration = Duration::from_secs(25);

/// Lambda's API.
#[derive(Debug, Default)]
pub(crate) struct Functions(OnceCell<Client>);

/// Why an invocation came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Lambda did not take it.
    #[error("Lambda does not invoke it: {0}")]
    Refused(String),
    /// It was not over in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The function failed.
    #[error("it answered with an error: {0}")]
    Failed(String),
    /// The function answered something else than what it was asked for.
    #[error("its answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Functions {
    /// Has a function run, without waiting for it.
    ///
    /// # Errors
    /// When Lambda does not take the invocation.
    pub(crate) async fn start(&self, function: &str, payload: &Value) -> Result<(), Error> {
        let invoke = self.client().await.invoke().function_name(function).invocation_type(InvocationType::Event);
        let sent = timeout(START, invoke.payload(Blob::new(payload.to_string())).send());
        match sent.await.map_err(|_| Error::Late(START))? {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(error.into_service_error())),
        }
    }

    /// Has a function run, and gives its answer. An invocation that is late is not repeated.
    ///
    /// # Errors
    /// When Lambda does not take the invocation, or the function fails.
    pub(crate) async fn ask(&self, function: &str, payload: &Value) -> Result<Value, Error> {
        let patience = TimeoutConfig::builder().operation_attempt_timeout(ANSWER).operation_timeout(ANSWER).build();
        let patient = Config::builder().timeout_config(patience).retry_config(RetryConfig::disabled());
        let invoke = self.client().await.invoke().function_name(function);
        let sent = invoke.payload(Blob::new(payload.to_string())).customize().config_override(patient).send();
        let answer = match timeout(ANSWER, sent).await.map_err(|_| Error::Late(ANSWER))? {
            Ok(answer) => answer,
            Err(error) => return Err(refused(error.into_service_error())),
        };
        let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_some() {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = body.get("errorMessage").and_then(Value::as_str);
            return Err(Error::Failed(message.unwrap_or("without a message").to_owned()));
        }
        Ok(serde_json::from_slice(&body)?)
    }

    async fn client(&self) -> &Client {
        self.0.get_or_init(async || Client::new(&shared::aws::config(None).await)).await
    }
}

fn refused(error: InvokeError) -> Error {
    Error::Refused(DisplayErrorContext(error).to_string())
}
