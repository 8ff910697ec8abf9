//! The settings of the database.

use std::path::PathBuf;

use super::database_url::DatabaseUrl;
use super::environment::{Environment, Error};

/// Where the database is and how to prove who we are.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// How the server and the credentials are found.
    pub login: DatabaseLogin,
    /// PEM roots that the server's certificate is checked against; the system's roots without it.
    pub ca_file: Option<PathBuf>,
}

/// The ways to name a database. Exactly one is configured.
#[derive(Debug, Clone)]
pub enum DatabaseLogin {
    /// `DATABASE_URL` with everything in it.
    Url(Box<DatabaseUrl>),
    /// `DATABASE_IAM_AUTH`: `DATABASE_URL` without a password, and a token in its place, made for
    /// each connection.
    Iam(Box<DatabaseUrl>),
    /// `DATABASE_SECRET_ARN`: a Secrets Manager secret, read when a connection is made, so that a
    /// rotation is followed.
    Secret(String),
}

impl DatabaseSettings {
    pub(super) fn read(environment: &Environment) -> Result<Self, Error> {
        let url = environment.parse("DATABASE_URL")?;
        let secret = environment.get("DATABASE_SECRET_ARN").map(str::to_owned);
        let by_iam = environment.parse("DATABASE_IAM_AUTH")?.unwrap_or(false);
        if by_iam {
            let url: Option<&DatabaseUrl> = url.as_ref();
            let wrong = |reason: &str| Error::Wrong {
                variable: "DATABASE_IAM_AUTH",
                reason: reason.to_owned(),
            };
            match url {
                None => {
                    return Err(wrong(
                        "DATABASE_URL is not set: give postgres://USER@HOST:PORT/DBNAME",
                    ));
                }
                Some(url) if url.has_password() => {
                    return Err(wrong("DATABASE_URL has a password: leave it out"));
                }
                Some(url) if !url.names_user_and_host() => {
                    return Err(wrong(
                        "DATABASE_URL must be postgres://USER@HOST:PORT/DBNAME, with one host",
                    ));
                }
                Some(_) => {}
            }
        }
        let login = match (url, secret) {
            (Some(url), None) if by_iam => DatabaseLogin::Iam(Box::new(url)),
            (Some(url), None) => DatabaseLogin::Url(Box::new(url)),
            (None, Some(secret)) => DatabaseLogin::Secret(secret),
            (Some(_), Some(_)) => {
                let reason = "DATABASE_URL is set as well: give one of the two".to_owned();
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
