//! The settings of `oci-poll`.

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};
use crate::domain::RegistryUrl;
use crate::oci::AllowedAddresses;

/// Settings of `oci-poll`. Each invocation names the registry.
#[derive(Debug, Clone)]
pub struct OciPoll {
    /// The database.
    pub database: DatabaseSettings,
    /// The DynamoDB table that stores the cursors.
    pub cursor_table: String,
    /// Says whether the tags of new charts are parsed.
    pub parse_tags: bool,
    /// The address to ask instead of an ECR registry. Rows still contain the ECR domain.
    pub registry_endpoint: Option<RegistryUrl>,
    /// The private addresses that redirects and realms may lead to.
    pub allowed_addresses: AllowedAddresses,
    /// The name of the Lambda function.
    pub function_name: String,
    /// The name that distinguishes this process from others. In Lambda, it is the log stream's
    /// name.
    pub process_name: String,
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
            database: DatabaseSettings::read(environment)?,
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
