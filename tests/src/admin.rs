//! The admin pages and their API over HTTP, as on a laptop: their own binary, on a port of its own.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::supervise::Log;
use crate::tools;

/// A running `admin`. It ends with this.
#[derive(Debug)]
pub struct Admin {
    url: String,
    log: Log,
    _process: Child,
}

impl Admin {
    /// Starts it with nothing but these settings and an address in its environment.
    ///
    /// # Errors
    /// When it has not been built, cannot be started, or ends at once; then with its last words.
    pub async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = Command::new(tools::function_binary("admin")?);
        command.env_clear().env("ADMIN_ADDR", "127.0.0.1:0").envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C is for us: we end what we started.
        let mut process =
            command.process_group(0).kill_on_drop(true).spawn().context("cannot start admin")?;
        let log = Log::of(process.stderr.take().context("no standard error")?);
        let url = |line: &str| {
            Some(line.split_once("\"url\":\"")?.1.split_once("/admin\"")?.0.to_owned())
        };
        let url = log.wait_for(url).await?;
        Ok(Self { url, log, _process: process })
    }

    /// Its address, such as `http://127.0.0.1:40123`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }
}
