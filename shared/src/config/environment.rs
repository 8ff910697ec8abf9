//! The environment of the process, and the errors of its variables.

use std::collections::BTreeMap;
use std::str::FromStr;

/// The environment at the start of the process. An empty variable counts as not set.
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
        /// The value that the user should set.
        remedy: &'static str,
    },
    /// A variable has an unusable value.
    #[error("{variable} cannot be used: {reason}")]
    Wrong {
        /// The variable's name.
        variable: &'static str,
        /// The defect of the value. It does not repeat a value that may contain a secret.
        reason: String,
    },
}

impl Environment {
    /// Reads the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variables = std::env::vars_os();
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        variables.filter_map(utf8).collect()
    }

    /// Returns the value of a variable, if it is set and not empty.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns whether Lambda started this process, or a program that emulates its Runtime API.
    #[must_use]
    pub fn is_lambda(&self) -> bool {
        self.get("AWS_LAMBDA_RUNTIME_API").is_some()
    }

    /// Parses the value of a variable, if it is set.
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

    /// Returns the name of the Lambda function; `local` outside Lambda.
    pub(super) fn function_name(&self) -> String {
        self.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("local").to_owned()
    }

    /// Returns the namespace of the metrics in CloudWatch.
    ///
    /// # Errors
    /// When CloudWatch would refuse the namespace.
    pub fn metrics_namespace(&self) -> Result<&str, Error> {
        let namespace = self.get("METRICS_NAMESPACE").unwrap_or(crate::metrics::NAMESPACE);
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"./-_#:".contains(&byte);
        if namespace.len() > 255 || !namespace.bytes().all(is_allowed) {
            return Err(Error::Wrong {
                variable: "METRICS_NAMESPACE",
                reason: "it must have 1 to 255 letters, digits and . / - _ # :".to_owned(),
            });
        }
        Ok(namespace)
    }

    /// Returns whether tags are parsed by the tag formats.
    pub(super) fn parses_tags(&self) -> Result<bool, Error> {
        Ok(self.parse("ENABLE_TAG_PARSER")?.unwrap_or(false))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}
