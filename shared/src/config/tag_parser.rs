//! The settings of `tag-parser`.

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};

/// Settings of `tag-parser`.
#[derive(Debug, Clone)]
pub struct TagParser {
    /// The database.
    pub database: DatabaseSettings,
    /// Says whether tags are parsed.
    pub is_enabled: bool,
}

impl TagParser {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        Ok(Self {
            database: DatabaseSettings::read(environment)?,
            is_enabled: environment.parses_tags()?,
        })
    }
}
