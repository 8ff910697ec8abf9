//! Runs the admin pages and their API over HTTP, as on a laptop: the real binary, on a free port.

use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::supervise::Log;
use crate::tools;

/// A running `admin`. Dropping it ends the process.
#[derive(Debug)]
pub struct Admin {
    url: String,
    log: Log,
    _process: Child,
}

impl Admin {
    /// Starts `admin`. Its environment has only these settings and an address.
    ///
    /// # Errors
    /// Fails if the binary is missing, or if the process does not start. The error has the last log
    /// lines.
    pub async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut command = Command::new(tools::function_binary("admin")?);
        command.env_clear().env("ADMIN_ADDR", "127.0.0.1:0").envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // In its own process group, because Ctrl-C is meant for the parent, which ends the child.
        let mut process =
            command.process_group(0).kill_on_drop(true).spawn().context("cannot start admin")?;
        let log = Log::of(process.stderr.take().context("no standard error")?);
        let url = |line: &str| {
            Some(line.split_once("\"url\":\"")?.1.split_once("/admin\"")?.0.to_owned())
        };
        let url = log.wait_for(url).await?;
        Ok(Self { url, log, _process: process })
    }

    /// Returns the address without a slash at the end, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the log lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }
}
