//! Runs the admin pages and their API over HTTP, as on a laptop.

use crate::http_function::HttpFunction;

/// A running `admin`. Dropping it ends the process.
#[derive(Debug)]
pub struct Admin(HttpFunction);

impl Admin {
    /// Starts `admin`. Its environment has only these settings and an address.
    ///
    /// # Errors
    /// Fails if the binary is missing, or if the process does not start. The error has the last log
    /// lines.
    pub async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Ok(Self(HttpFunction::start("admin", "ADMIN_ADDR", settings).await?))
    }

    /// Returns the address without a slash at the end, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Returns the log lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.0.log()
    }
}
