//! The only reader of the environment: the settings of each function, read once at start. An
//! unusable setting stops the function there, with one line that names the variable and never
//! repeats a secret.

mod admin;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use crate::db::DatabaseUrl;
use crate::domain::{Account, KindNaming, RegistryUrl};
use crate::oci::AllowedAddresses;

pub use admin::{Admin, AdminAuth};

/// The environment as it was when the process started. Empty variables count as not set.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// A setting that is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A required variable is not set.
    #[error("{variable} is not set: {remedy}")]
    Missing {
        /// The variable's name.
        variable: &'static str,
        /// What to set it to.
        remedy: &'static str,
    },
    /// A variable holds something unusable.
    #[error("{variable} cannot be used: {reason}")]
    Wrong {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with its value, without the value where it may hold a secret.
        reason: String,
    },
}

/// Where the database is and how to prove who we are.
#[derive(Debug, Clone)]
pub struct Database {
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

/// Settings of `ecr-events`.
#[derive(Debug, Clone)]
pub struct EcrEvents {
    /// The database.
    pub database: Database,
    /// What the row in `discovery_instances` is called; `ecr-<region>` without it.
    pub instance: Option<String>,
    /// Accounts whose events are accepted; any when empty.
    pub accounts: Vec<Account>,
    /// How the kinds of new registries are named.
    pub kind_naming: KindNaming,
    /// Whether tags are taken apart when a chart arrives.
    pub parse_tags: bool,
    /// Asked instead of `https://<domain>`; rows still carry the ECR domain.
    pub registry_endpoint: Option<RegistryUrl>,
    /// Where a registry may send us although it is private.
    pub allowed_addresses: AllowedAddresses,
    /// What the function is called in Lambda.
    pub function_name: String,
    /// A text on which decoding a message panics, for tests; never in a release.
    pub panic_on: Option<String>,
}

/// Settings of `oci-poll`. The registry comes with each invocation.
#[derive(Debug, Clone)]
pub struct OciPoll {
    /// The database.
    pub database: Database,
    /// The DynamoDB table of the cursors.
    pub cursor_table: String,
    /// Whether tags are taken apart when a chart arrives.
    pub parse_tags: bool,
    /// Asked instead of an ECR registry; rows still carry the ECR domain.
    pub registry_endpoint: Option<RegistryUrl>,
    /// Where a registry may send us although it is private.
    pub allowed_addresses: AllowedAddresses,
    /// What the function is called in Lambda.
    pub function_name: String,
    /// What this process is called where several do the same: its log stream in Lambda.
    pub process_name: String,
}

/// Settings of `tag-parser`.
#[derive(Debug, Clone)]
pub struct TagParser {
    /// The database.
    pub database: Database,
    /// Whether tags are taken apart at all.
    pub is_enabled: bool,
}

/// Settings of `migrate`.
#[derive(Debug, Clone)]
pub struct Migrate {
    /// The database.
    pub database: Database,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables = std::env::vars_os();
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        variables.filter_map(utf8).collect()
    }

    /// The value of a variable, unless it is not set or empty.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether this process was started by Lambda, or by something that plays its Runtime API.
    #[must_use]
    pub fn is_lambda(&self) -> bool {
        self.get("AWS_LAMBDA_RUNTIME_API").is_some()
    }

    fn parse<T: FromStr<Err: std::fmt::Display>>(
        &self,
        variable: &'static str,
    ) -> Result<Option<T>, Error> {
        let parse = |value: &str| {
            value
                .parse()
                .map_err(|error: T::Err| Error::Wrong { variable, reason: error.to_string() })
        };
        self.get(variable).map(parse).transpose()
    }

    fn function_name(&self) -> String {
        self.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("local").to_owned()
    }

    fn parses_tags(&self) -> Result<bool, Error> {
        Ok(self.parse("ENABLE_TAG_PARSER")?.unwrap_or(false))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Database {
    fn read(environment: &Environment) -> Result<Self, Error> {
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

impl EcrEvents {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let accounts = environment.get("ECR_ACCOUNTS").unwrap_or_default();
        let accounts = accounts.split(',').map(str::trim).filter(|account| !account.is_empty());
        let accounts = accounts.map(str::parse).collect::<Result<Vec<Account>, _>>();
        let kind_naming = match environment.get("KIND_NAMING") {
            None | Some("name") => KindNaming::Name,
            Some("path") => KindNaming::Path,
            Some(other) => {
                let reason = format!("{other:?} is neither \"name\" nor \"path\"");
                return Err(Error::Wrong { variable: "KIND_NAMING", reason });
            }
        };
        Ok(Self {
            database: Database::read(environment)?,
            instance: environment.get("INSTANCE_NAME").map(str::to_owned),
            accounts: accounts.map_err(|error| Error::Wrong {
                variable: "ECR_ACCOUNTS",
                reason: error.to_string(),
            })?,
            kind_naming,
            parse_tags: environment.parses_tags()?,
            registry_endpoint: environment.parse("ECR_REGISTRY_ENDPOINT")?,
            allowed_addresses: environment.parse("ALLOWED_ADDRESSES")?.unwrap_or_default(),
            function_name: environment.function_name(),
            panic_on: environment
                .get("TEST_PANIC_ON")
                .filter(|_| cfg!(debug_assertions))
                .map(str::to_owned),
        })
    }
}

impl OciPoll {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let cursor_table = environment.get("CURSOR_TABLE").map(str::to_owned);
        let process_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or("process");
        Ok(Self {
            database: Database::read(environment)?,
            cursor_table: cursor_table.ok_or(Error::Missing {
                variable: "CURSOR_TABLE",
                remedy: "give the name of a DynamoDB table with the keys pk and sk, both strings",
            })?,
            parse_tags: environment.parses_tags()?,
            registry_endpoint: environment.parse("ECR_REGISTRY_ENDPOINT")?,
            allowed_addresses: environment.parse("ALLOWED_ADDRESSES")?.unwrap_or_default(),
            function_name: environment.function_name(),
            process_name: process_name.to_owned(),
        })
    }
}

impl TagParser {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        Ok(Self { database: Database::read(environment)?, is_enabled: environment.parses_tags()? })
    }
}

impl Migrate {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        Ok(Self { database: Database::read(environment)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn error(variables: &[(&str, &str)]) -> String {
        EcrEvents::read(&environment(variables))
            .map_or_else(|error| error.to_string(), |_| "read".to_owned())
    }

    #[test]
    fn a_missing_database_is_named_with_its_remedy() {
        let remedy =
            "give postgres://USER:PASSWORD@HOST:PORT/DBNAME, or DATABASE_SECRET_ARN instead";
        assert_eq!(error(&[]), format!("DATABASE_URL is not set: {remedy}"));
        assert_eq!(error(&[("DATABASE_URL", "")]), format!("DATABASE_URL is not set: {remedy}"));
    }

    #[test]
    fn corpus_41_a_wrong_variable_is_named_and_its_secret_is_not() {
        let url = ("DATABASE_URL", "postgres://u:hunter2@db/x");
        let table = [
            (("DATABASE_URL", "mysql://u:hunter2@db/x"), "DATABASE_URL"),
            (("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:…"), "DATABASE_SECRET_ARN"),
            (("ECR_ACCOUNTS", "123456789012, 12"), "ECR_ACCOUNTS"),
            (("KIND_NAMING", "full"), "KIND_NAMING"),
            (("DATABASE_IAM_AUTH", "yes"), "DATABASE_IAM_AUTH"),
            (("DATABASE_IAM_AUTH", "true"), "DATABASE_IAM_AUTH"),
            (("ALLOWED_ADDRESSES", "10.0.0.0/99"), "ALLOWED_ADDRESSES"),
            (("ENABLE_TAG_PARSER", "yes"), "ENABLE_TAG_PARSER"),
            (("ECR_REGISTRY_ENDPOINT", "localhost:5000"), "ECR_REGISTRY_ENDPOINT"),
            (("ECR_REGISTRY_ENDPOINT", "http://u:hunter2@localhost:5000"), "ECR_REGISTRY_ENDPOINT"),
        ];
        for (wrong, variable) in table {
            let message = error(&[url, wrong]);
            assert!(message.starts_with(variable), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn settings_are_read() {
        let settings = EcrEvents::read(&environment(&[
            ("DATABASE_URL", "postgres://u@db/x"),
            ("ECR_ACCOUNTS", "123456789012, 210987654321,"),
            ("KIND_NAMING", "path"),
        ]));
        assert!(settings.is_ok_and(|settings| {
            settings.accounts.len() == 2 && settings.kind_naming == KindNaming::Path
        }));
    }
}
