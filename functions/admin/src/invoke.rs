//! Invokes the other Lambda functions. The client connects at the first invocation.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Config;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::{Duration, timeout};

/// Time for Lambda to accept an asynchronous invocation.
const START: Duration = Duration::from_secs(2);

/// Time for the answer of a synchronous invocation. It is less than the timeout of this function.
const ANSWER: Duration = Duration::from_secs(25);

/// Lambda's API.
#[derive(Debug, Default)]
pub(crate) struct Functions(OnceCell<Client>);

/// Why an invocation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Lambda did not accept the invocation.
    #[error(transparent)]
    Refused(#[from] shared::aws::Error),
    /// The role of this function may not invoke the other.
    #[error(transparent)]
    Forbidden(shared::aws::Error),
    /// No function has the name.
    #[error(transparent)]
    Missing(shared::aws::Error),
    /// The function already has as many invocations as it may have.
    #[error(transparent)]
    Busy(shared::aws::Error),
    /// The invocation did not end in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The function failed.
    #[error("it answered with an error: {0}")]
    Failed(String),
    /// The answer is not what was expected.
    #[error("its answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Functions {
    /// Invokes a function and does not wait for its end.
    ///
    /// # Errors
    /// Lambda does not accept the invocation.
    pub(crate) async fn start(&self, function: &str, payload: &Value) -> Result<(), Error> {
        let invoke = self
            .client()
            .await
            .invoke()
            .function_name(function)
            .invocation_type(InvocationType::Event);
        let sent = timeout(START, invoke.payload(Blob::new(payload.to_string())).send());
        match sent.await.map_err(|_| Error::Late(START))? {
            Ok(_) => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Invokes a function and returns its answer. A late invocation is not repeated.
    ///
    /// # Errors
    /// Lambda does not accept the invocation, or the function fails or is late.
    pub(crate) async fn ask(&self, function: &str, payload: &Value) -> Result<Value, Error> {
        // The SDK waits longer than `timeout` below, so that the error is `Late`.
        let longer = ANSWER + Duration::from_secs(1);
        let patience = TimeoutConfig::builder()
            .operation_attempt_timeout(longer)
            .operation_timeout(longer)
            .build();
        let patient =
            Config::builder().timeout_config(patience).retry_config(RetryConfig::disabled());
        let invoke = self.client().await.invoke().function_name(function);
        let sent = invoke
            .payload(Blob::new(payload.to_string()))
            .customize()
            .config_override(patient)
            .send();
        let answer = match timeout(ANSWER, sent).await.map_err(|_| Error::Late(ANSWER))? {
            Ok(answer) => answer,
            Err(error) => return Err(refused(&error)),
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

impl Error {
    /// Returns what an operator can do about the error.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "Let admin's role invoke it (lambda:InvokeFunction).",
            Self::Missing(_) => {
                "It was removed or renamed: the next run of the instance puts this right. If there \
                 is none, see its schedule."
            }
            Self::Busy(_) => {
                "Try again in a moment. If this stays, raise the function's reserved concurrency."
            }
            Self::Late(_) | Self::Failed(_) | Self::Unreadable(_) => "Look at the function's log.",
            Self::Refused(_) => {
                "See that admin reaches Lambda's service: in a VPC without a way out that needs \
                 the endpoint lambda."
            }
        }
    }
}

fn refused(error: &SdkError<InvokeError>) -> Error {
    let said = shared::aws::Error::of_call("invoke it", error);
    match error.code() {
        Some("AccessDeniedException") => Error::Forbidden(said),
        Some("ResourceNotFoundException") => Error::Missing(said),
        Some("TooManyRequestsException") => Error::Busy(said),
        _ => Error::Refused(said),
    }
}
