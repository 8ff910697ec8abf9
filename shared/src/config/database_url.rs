//! `DATABASE_URL`. An error about it names the defect, but repeats no part of the value.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use url::Url;

/// A `postgres://` address. It has no `Debug` or `Display` text, because it may contain a password.
#[derive(Clone)]
pub struct DatabaseUrl(Config);

/// The reason why a text is not a usable database URL.
#[derive(Debug, thiserror::Error)]
pub enum InvalidUrl {
    /// The text is not a URL, or has another scheme.
    #[error("it must look like postgres://USER:PASSWORD@HOST:PORT/DBNAME")]
    NotPostgres,
    /// The value of `sslmode` does not exist.
    #[error("sslmode must be disable, prefer, require, verify-ca or verify-full")]
    SslMode,
    /// The driver refuses the address: a port is out of range, or a parameter is unknown.
    #[error(
        "the part after the host is not understood: check the port and the parameters after '?'"
    )]
    Refused,
}

impl DatabaseUrl {
    /// Returns the settings in the driver's form.
    pub(crate) fn driver_config(&self) -> &Config {
        &self.0
    }

    /// Returns whether the address contains a password.
    pub(crate) fn has_password(&self) -> bool {
        self.0.get_password().is_some()
    }

    /// Returns whether the address names a user.
    pub(crate) fn has_user(&self) -> bool {
        self.0.get_user().is_some_and(|user| !user.is_empty())
    }

    /// Returns whether the address names a user and exactly one TCP host, as an IAM token needs.
    pub(crate) fn names_user_and_host(&self) -> bool {
        self.has_user() && matches!(self.0.get_hosts(), [Host::Tcp(_)])
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let mut url = Url::parse(text).map_err(|_| InvalidUrl::NotPostgres)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(InvalidUrl::NotPostgres);
        }
        // The driver does not know verify-ca and verify-full. Every TLS connection verifies the
        // server here.
        let mut ssl_mode = None;
        let mut others = Vec::new();
        for pair in url.query().unwrap_or_default().split('&') {
            match pair.strip_prefix("sslmode=") {
                None => others.push(pair),
                Some("disable") => ssl_mode = Some(SslMode::Disable),
                Some("allow" | "prefer") => ssl_mode = Some(SslMode::Prefer),
                Some("require" | "verify-ca" | "verify-full") => ssl_mode = Some(SslMode::Require),
                Some(_) => return Err(InvalidUrl::SslMode),
            }
        }
        let others = others.join("&");
        url.set_query(Some(others.as_str()).filter(|others| !others.is_empty()));
        let mut config: Config = url.as_str().parse().map_err(|_| InvalidUrl::Refused)?;
        if let Some(ssl_mode) = ssl_mode {
            config.ssl_mode(ssl_mode);
        }
        if config.get_hosts().is_empty() {
            return Err(InvalidUrl::NotPostgres);
        }
        Ok(Self(config))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ssl_mode_of_libpq_is_accepted() {
        for (query, mode) in [
            ("", SslMode::Prefer),
            ("?sslmode=disable", SslMode::Disable),
            ("?sslmode=require", SslMode::Require),
            ("?sslmode=verify-full&application_name=x", SslMode::Require),
            ("?options=-c%20work_mem%3D8MB&sslmode=prefer", SslMode::Prefer),
        ] {
            let url =
                format!("postgres://u:p@db.example:5433/charts{query}").parse::<DatabaseUrl>();
            let url = url.unwrap();
            let options = query.contains("options").then_some("-c work_mem=8MB");
            assert_eq!((url.0.get_ssl_mode(), url.0.get_options()), (mode, options), "{query}");
        }
    }

    /// Hostile input 41.
    #[test]
    fn database_url_error_hides_the_password() {
        for wrong in [
            "hunter2",
            "postgres//u:hunter2@db/x",
            "mysql://u:hunter2@db/x",
            "postgres://u:hunter2@db:port/x",
            "postgres://u:hunter2@db/x?hunter2=1",
            "postgres://u:hunter2@db/x?sslmode=hunter2",
            "postgres:///x",
        ] {
            let message = wrong
                .parse::<DatabaseUrl>()
                .map_or_else(|error| error.to_string(), |url| format!("{url:?}"));
            assert!(
                !message.contains("hunter2") && !message.contains("DatabaseUrl"),
                "{wrong}: {message}"
            );
        }
    }
}
