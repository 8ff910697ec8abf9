//! The database's credentials in AWS Secrets Manager, in the JSON shape that RDS writes.

use std::net::IpAddr;

use aws_config::BehaviorVersion;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use serde::Deserialize;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::Error;

#[derive(Deserialize)]
struct Secret {
    username: String,
    password: String,
    host: String,
    port: Option<u16>,
    dbname: Option<String>,
}

/// Reads the secret and makes a configuration of it. TLS is required, but for a server on this machine.
pub(super) async fn read(arn: &str) -> Result<Config, Error> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
            aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let aws = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let client = aws_sdk_secretsmanager::Client::new(&aws);
    let answer = client.get_secret_value().secret_id(arn).send().await;
    let answer = answer.map_err(|error| Error::Secret(in_brief(&error)))?;
    let text = answer.secret_string().unwrap_or_default();
    // The parser's message may quote the secret.
    let wanted = "it is not JSON with username, password, host and, if need be, port and dbname";
    let secret: Secret = serde_json::from_str(text).map_err(|_| Error::Secret(wanted.to_owned()))?;
    let mut config = Config::new();
    config.user(&secret.username).password(&secret.password).host(&secret.host);
    let local = secret.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    config.port(secret.port.unwrap_or(5432)).ssl_mode(if local { SslMode::Prefer } else { SslMode::Require });
    config.dbname(secret.dbname.as_deref().unwrap_or("postgres"));
    Ok(config)
}

/// What the service said; or, when it said nothing, the innermost cause. The SDK's own text is a page long.
fn in_brief<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> String {
    if let Some(refusal) = error.as_service_error() {
        let code = refusal.code().unwrap_or("refused");
        return refusal.message().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
