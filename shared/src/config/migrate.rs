//! The settings of `migrate`.

use super::database::Database;
use super::environment::{Environment, Error};

/// Settings of `migrate`.
#[derive(Debug, Clone)]
pub struct Migrate {
    /// The database.
    pub database: Database,
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
