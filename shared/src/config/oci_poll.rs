//! The settings of `oci-poll`.

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};
use crate::domain::RegistryUrl;
use crate::oci::AllowedAddresses;

/// Settings of `oci-poll`. The registry comes with each invocation.
#[derive(Debug, Clone)]
pub struct OciPoll {
    /// The database.
    pub database: DatabaseSettings,
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
