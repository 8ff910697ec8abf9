//! The settings of the database.

use std::path::PathBuf;

use super::database_url::DatabaseUrl;
use super::environment::{Environment, Error};

/// The address of the database, and the source of the credentials.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// The way to find the server and the credentials.
    pub login: DatabaseLogin,
    /// A file of PEM roots that verify the server's certificate; `None` for the system's roots.
    pub ca_file: Option<PathBuf>,
}

/// The ways to name a database. A function uses exactly one.
#[derive(Debug, Clone)]
pub enum DatabaseLogin {
    /// `DATABASE_URL`, which contains everything.
    Url(Box<DatabaseUrl>),
    /// `DATABASE_IAM_AUTH`: `DATABASE_URL` without a password. Each connection gets a new token
    /// instead.
    Iam(Box<DatabaseUrl>),
    /// `DATABASE_SECRET_ARN`: a secret in Secrets Manager. Each new connection reads it, so that a
    /// rotation takes effect.
    Secret {
        /// The secret.
        arn: String,
        /// `DATABASE_URL` beside it: the server, for a secret that has only the credentials.
        url: Option<Box<DatabaseUrl>>,
    },
}

impl DatabaseSettings {
    pub(super) fn read(environment: &Environment) -> Result<Self, Error> {
        let url: Option<DatabaseUrl> = environment.parse("DATABASE_URL")?;
        let secret = environment.get("DATABASE_SECRET_ARN").map(str::to_owned);
        let by_iam = environment.parse("DATABASE_IAM_AUTH")?.unwrap_or(false);
        if by_iam {
            check_for_iam(url.as_ref())?;
        }
        let login = match (url, secret) {
            (Some(url), None) if by_iam => DatabaseLogin::Iam(Box::new(url)),
            (Some(url), None) => DatabaseLogin::Url(Box::new(url)),
            (None, Some(arn)) => DatabaseLogin::Secret { arn, url: None },
            (Some(url), Some(arn)) if !by_iam && !url.has_user() && !url.has_password() => {
                DatabaseLogin::Secret { arn, url: Some(Box::new(url)) }
            }
            (Some(_), Some(_)) => {
                let reason = "DATABASE_URL is set as well: give one of the two, or leave user and \
                              password out of the URL";
                let reason = reason.to_owned();
                return Err(Error::Wrong { variable: "DATABASE_SECRET_ARN", reason });
            }
            (None, None) => {
                let remedy = "give postgres://USER:PASSWORD@HOST:PORT/DBNAME, or \
                              DATABASE_SECRET_ARN instead";
                return Err(Error::Missing { variable: "DATABASE_URL", remedy });
            }
        };
        Ok(Self { login, ca_file: environment.get("DATABASE_CA_FILE").map(PathBuf::from) })
    }
}

/// Checks that an IAM token can replace the password of this URL.
fn check_for_iam(url: Option<&DatabaseUrl>) -> Result<(), Error> {
    let reason = match url {
        None => "DATABASE_URL is not set: give postgres://USER@HOST:PORT/DBNAME",
        Some(url) if url.has_password() => "DATABASE_URL has a password: leave it out",
        Some(url) if !url.names_user_and_host() => {
            "DATABASE_URL must be postgres://USER@HOST:PORT/DBNAME, with one host"
        }
        Some(_) => return Ok(()),
    };
    Err(Error::Wrong { variable: "DATABASE_IAM_AUTH", reason: reason.to_owned() })
}
