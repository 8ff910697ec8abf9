//! The other Lambda functions, invoked. Nothing is connected to before the first invocation.

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
    #[error(transparent)]
    Refused(#[from] shared::aws::Error),
    /// This function may not invoke it.
    #[error(transparent)]
    Forbidden(shared::aws::Error),
    /// There is no such function.
    #[error(transparent)]
    Missing(shared::aws::Error),
    /// As many invocations as it may have are under way.
    #[error(transparent)]
    Busy(shared::aws::Error),
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

    /// Has a function run, and gives its answer. An invocation that is late is not repeated.
    ///
    /// # Errors
    /// When Lambda does not take the invocation, or the function fails.
    pub(crate) async fn ask(&self, function: &str, payload: &Value) -> Result<Value, Error> {
        // Our own time is over first, and says so.
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
    /// What to do about it.
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
