//! AWS Secrets Manager: `GetSecretValue`.

use serde::de::DeserializeOwned;

use super::{Error, config};

/// Reads a secret that is JSON. `fields` names its fields in the error. It is safe to repeat, and a
/// repeat sees a rotated secret.
///
/// # Errors
/// Fails if the secret cannot be read or has another shape. The message never quotes the secret.
pub async fn read_secret<T: DeserializeOwned>(arn: &str, fields: &str) -> Result<T, Error> {
    let what = || format!("read the secret {arn}");
    let client = aws_sdk_secretsmanager::Client::new(&config(None).await);
    let answer = client.get_secret_value().secret_id(arn).send().await;
    let answer = answer.map_err(|error| Error::of_call(what(), &error))?;
    let text = answer.secret_string().unwrap_or_default();
    // The parser's message is dropped, because it may quote the secret.
    serde_json::from_str(text)
        .map_err(|_| Error::new(what(), format!("it is not JSON with {fields}")))
}
