//! The settings of `migrate`.

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};

/// Settings of `migrate`.
#[derive(Debug, Clone)]
pub struct Migrate {
    /// The database.
    pub database: DatabaseSettings,
}

impl Migrate {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        Ok(Self { database: DatabaseSettings::read(environment)? })
    }
}
