//! The environment of the process, and what is wrong with it.

use std::collections::BTreeMap;
use std::str::FromStr;

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

    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(
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

    pub(super) fn function_name(&self) -> String {
        self.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("local").to_owned()
    }

    pub(super) fn parses_tags(&self) -> Result<bool, Error> {
        Ok(self.parse("ENABLE_TAG_PARSER")?.unwrap_or(false))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}
