//! The settings of `ecr-events`.

use std::sync::Arc;

use serde::Deserialize;

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};
use crate::domain::{Account, KindNaming, RegistryUrl, Selection};
use crate::oci::AllowedAddresses;

/// Limits `ECR_SELECTION` in bytes, because all variables of a Lambda function share 4 KB.
const SELECTION_MAX: usize = 3 * 1024;

/// Settings of `ecr-events`.
#[derive(Debug, Clone)]
pub struct EcrEvents {
    /// The database.
    pub database: DatabaseSettings,
    /// The name of the row in `discovery_instances`; `None` for `ecr-<region>`.
    pub instance: Option<String>,
    /// The accounts whose events are accepted. An empty list accepts every account.
    pub accounts: Vec<Account>,
    /// The repositories that the instance follows.
    pub selection: Arc<Selection>,
    /// The way to name the kinds of new registries.
    pub kind_naming: KindNaming,
    /// Says whether the tags of new charts are parsed.
    pub parse_tags: bool,
    /// The address to ask instead of `https://<domain>`. Rows still contain the ECR domain.
    pub registry_endpoint: Option<RegistryUrl>,
    /// The private addresses that redirects and realms may lead to.
    pub allowed_addresses: AllowedAddresses,
    /// The name of the Lambda function.
    pub function_name: String,
    /// A text that makes decoding panic if a message contains it, for tests. A release build
    /// ignores it.
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
            selection: Arc::new(read_selection(environment)?),
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

/// The lists in `ECR_SELECTION`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionFields {
    repositories: Option<Vec<String>>,
    #[serde(default)]
    exclude: Vec<String>,
}

fn read_selection(environment: &Environment) -> Result<Selection, Error> {
    let variable = "ECR_SELECTION";
    let wrong = |reason| Error::Wrong { variable, reason };
    let fields = match environment.get(variable) {
        None => SelectionFields::default(),
        Some(text) if text.len() > SELECTION_MAX => {
            return Err(wrong(format!("it has {} bytes, more than {SELECTION_MAX}", text.len())));
        }
        Some(text) => serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?,
    };
    Selection::read(variable, fields.repositories.as_deref(), &fields.exclude)
        .map_err(|error| wrong(format!("{error:#}")))
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

    /// Hostile input 41.
    #[test]
    fn wrong_variable_is_named_without_its_secret() {
        let url = ("DATABASE_URL", "postgres://u:hunter2@db/x");
        let table = [
            (("DATABASE_URL", "mysql://u:hunter2@db/x"), "DATABASE_URL"),
            (("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:…"), "DATABASE_SECRET_ARN"),
            (("ECR_ACCOUNTS", "123456789012, 12"), "ECR_ACCOUNTS"),
            (("ECR_SELECTION", "team/*"), "ECR_SELECTION"),
            (("ECR_SELECTION", r#"{"repository": ["a"]}"#), "ECR_SELECTION"),
            (("ECR_SELECTION", r#"{"repositories": ["A"]}"#), "ECR_SELECTION"),
            (("ECR_SELECTION", r#"{"exclude": ["[a"]}"#), "ECR_SELECTION"),
            (("ECR_SELECTION", &" ".repeat(3073)), "ECR_SELECTION"),
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

    #[test]
    fn selection_follows_everything_unless_it_has_lists() {
        let has = |selection: &str, repository: &str| {
            let variables = [("DATABASE_URL", "postgres://u@db/x"), ("ECR_SELECTION", selection)];
            let settings = EcrEvents::read(&environment(&variables)).unwrap();
            settings.selection.has(&repository.parse().unwrap())
        };
        let team = r#"{"repositories": ["team/*"], "exclude": ["team/old"]}"#;
        for (selection, repository, is_followed) in [
            ("", "team/x/y", true),
            ("{}", "team/x/y", true),
            (team, "team/api", true),
            (team, "team/x/y", false),
            (team, "team/old", false),
            (r#"{"exclude": ["team/**"]}"#, "team/x/y", false),
            (r#"{"repositories": null, "exclude": []}"#, "team/x/y", true),
        ] {
            assert_eq!(has(selection, repository), is_followed, "{selection} {repository}");
        }
    }
}
