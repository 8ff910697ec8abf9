//! The database's credentials in AWS Secrets Manager, in the JSON shape that RDS writes.

use std::net::IpAddr;

use serde::Deserialize;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::Error;
use crate::aws;

const SETTING: &str = "DATABASE_SECRET_ARN";

#[derive(Deserialize)]
struct Secret {
    username: String,
    password: String,
    host: String,
    port: Option<u16>,
    dbname: Option<String>,
}

/// Reads the secret, and turns it into the driver's settings. TLS is required, except for a server
/// on this machine.
pub(super) async fn read(arn: &str) -> Result<Config, Error> {
    let fields = "username, password, host and, if need be, port and dbname";
    let secret: Secret = aws::read_secret(arn, fields)
        .await
        .map_err(|source| Error::Login { setting: SETTING, source })?;
    let mut config = Config::new();
    config.user(&secret.username).password(&secret.password).host(&secret.host);
    let local = secret.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    config.port(secret.port.unwrap_or(5432)).ssl_mode(if local {
        SslMode::Prefer
    } else {
        SslMode::Require
    });
    config.dbname(secret.dbname.as_deref().unwrap_or("postgres"));
    Ok(config)
}
