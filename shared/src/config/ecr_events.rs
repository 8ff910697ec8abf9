//! The settings of `ecr-events`.

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};
use crate::domain::{Account, KindNaming, RegistryUrl};
use crate::oci::AllowedAddresses;

/// Settings of `ecr-events`.
#[derive(Debug, Clone)]
pub struct EcrEvents {
    /// The database.
    pub database: DatabaseSettings,
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
            database: DatabaseSettings::read(environment)?,
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
